// The list of requests keeps itself new: it asks every few seconds while somebody looks at it.
// What the server sends is the newest page, and only if it differs from the one shown.

const EVERY_MS = 3000;
const FRESH_MS = 2500;

const list = document.getElementById("request-list");
const toggle = document.getElementById("live");
const status = document.getElementById("live-status");
let timer = 0;

const ids = () => [...list.querySelectorAll("tr[data-id]")].map((row) => row.dataset.id);
const isReading = () => {
  const selection = getSelection();
  return !selection.isCollapsed && list.contains(selection.anchorNode);
};

function watch() {
  clearInterval(timer);
  if (document.hidden || !toggle.checked) return;
  ask();
  timer = setInterval(ask, EVERY_MS);
}

function ask() {
  if (!isReading()) window.htmx.trigger(list, "poll");
}

function stop() {
  toggle.checked = false;
  watch();
}

function mark(before) {
  const fresh = [...list.querySelectorAll("tr[data-id]")].filter((r) => !before.has(r.dataset.id));
  for (const row of fresh) row.classList.add("fresh");
  status.textContent = fresh.length ? status.dataset.text : "";
  setTimeout(() => {
    for (const row of fresh) row.classList.remove("fresh");
    status.textContent = "";
  }, FRESH_MS);
}

if (toggle && list.hasAttribute("hx-get")) {
  let before = new Set(ids());
  toggle.closest("label").hidden = false;
  list.addEventListener("htmx:configRequest", (event) => {
    event.detail.parameters.seen = list.querySelector("[data-seen]").dataset.seen;
  });
  list.addEventListener("htmx:beforeSwap", (event) => {
    before = new Set(ids());
    // Signed out meanwhile: the answer is the log-in page, which has no place in a list.
    if (!event.detail.xhr.responseURL.includes(list.getAttribute("hx-get"))) {
      event.detail.shouldSwap = false;
      stop();
    }
  });
  list.addEventListener("htmx:afterSwap", () => mark(before));
  toggle.addEventListener("change", watch);
  document.addEventListener("visibilitychange", watch);
  timer = setInterval(ask, EVERY_MS);
}
