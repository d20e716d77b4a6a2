// The welcome page: a wait that rests while nobody looks, and the work that trial money asks for.

document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.target.id === "first") event.preventDefault();
});

function solve(form) {
  const [start, working, broken] = ["button", ".working", ".broken"].map((name) =>
    form.querySelector(name),
  );
  const expected = 2 ** Number(form.dataset.bits);
  const worker = new Worker(new URL("welcome_worker.js", import.meta.url), { type: "module" });
  start.hidden = true;
  working.hidden = false;
  worker.onmessage = ({ data }) => {
    // How many tries it takes is luck: the bar tells how likely it was to be done by now.
    working.querySelector("progress").value = 1 - Math.exp(-data.tried / expected);
    if (data.nonce === undefined) return;
    worker.terminate();
    form.elements.nonce.value = data.nonce;
    htmx.trigger(form, "solved");
  };
  worker.onerror = () => {
    worker.terminate();
    working.hidden = true;
    broken.hidden = false;
  };
  worker.postMessage({ challenge: form.elements.challenge.value, bits: Number(form.dataset.bits) });
}

document.addEventListener("submit", (event) => {
  if (event.target.id !== "trial-form") return;
  event.preventDefault();
  solve(event.target);
});

function show(root) {
  for (const element of root.querySelectorAll("[data-scripted]")) element.hidden = false;
}

show(document);
document.addEventListener("htmx:load", (event) => show(event.target));
