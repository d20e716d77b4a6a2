// The list of models: at most so many are checked, and they stay checked while filters change.

const chosen = new Set(); // slugs

function refresh() {
  const form = document.getElementById("compare");
  if (!form) return;
  const button = form.querySelector("button");
  const most = Number(button.dataset.most);
  for (const hidden of form.querySelectorAll("input")) hidden.remove();
  const shown = new Set();
  for (const box of document.querySelectorAll('#results input[name="m"]')) {
    shown.add(box.value);
    box.checked = chosen.has(box.value);
    box.disabled = !box.checked && chosen.size >= most;
  }
  for (const slug of chosen) {
    if (shown.has(slug)) continue; // filtered away, but still chosen
    const hidden = document.createElement("input");
    hidden.type = "hidden";
    hidden.name = "m";
    hidden.value = slug;
    form.append(hidden);
  }
  button.disabled = chosen.size < 2;
  button.querySelector("[data-chosen]").textContent = chosen.size ? ` (${chosen.size}/${most})` : "";
}

function note(box) {
  if (box.checked) chosen.add(box.value);
  else chosen.delete(box.value);
}

for (const box of document.querySelectorAll('#results input[name="m"]:checked')) note(box);
document.addEventListener("change", (event) => {
  if (!event.target.matches('#results input[name="m"]')) return;
  note(event.target);
  refresh();
});
document.addEventListener("htmx:afterSettle", refresh);
refresh();
