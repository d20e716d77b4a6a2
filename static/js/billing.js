// Adding money: an amount that is typed and a preset exclude each other; the price follows.
// An order's page asks whether it is paid, and rests while nobody looks.

const TYPED_MS = 300;

const form = document.getElementById("topup");
if (form) {
  const other = form.elements.other;
  const presets = [...form.querySelectorAll("[name=preset]")];
  let timer = 0;
  other.addEventListener("input", () => {
    if (other.value) for (const preset of presets) preset.checked = false;
    clearTimeout(timer);
    timer = setTimeout(() => window.htmx.trigger(other, "typed", {}), TYPED_MS);
  });
  for (const preset of presets) {
    preset.addEventListener("change", () => {
      other.value = "";
    });
  }
}

document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.target.id === "order") event.preventDefault();
});
document.addEventListener("visibilitychange", () => {
  const order = document.getElementById("order");
  if (!document.hidden && order?.hasAttribute("hx-get")) window.htmx.trigger(order, "look");
});

// Signed out meanwhile: the answer is the log-in page, which has no place in a part of this one.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (new URL(event.detail.xhr.responseURL).pathname.startsWith("/billing")) return;
  event.detail.shouldSwap = false;
  location.reload();
});
