// The page: columns, the composer, the parameters. Everything said stays in this browser.

import { code } from "./code.js";
import { drop, images, watch } from "./images.js";
import * as store from "./keep.js";
import { Talk, money } from "./talk.js";

const TALKS_MAX = 4;
const byId = (id) => document.getElementById(id);
const bench = byId("bench");
const words = byId("words").dataset;
const message = byId("message");
let talks = [];

function parameters() {
  const chosen = {};
  for (const [name, value] of new FormData(byId("parameters"))) {
    if (name === "system" || name === "reasoning_effort") {
      if (value.trim()) chosen[name] = value;
    } else if (value !== "") chosen[name] = Number(value);
  }
  return chosen;
}

function open(model, messages) {
  const talk = new Talk(bench, model, messages);
  talk.element.querySelector("[data-do=remove]").addEventListener("click", () => {
    talk.stop();
    talks = talks.filter((other) => other !== talk);
    talk.element.remove();
    refresh();
  });
  talk.field.addEventListener("change", save);
  talks.push(talk);
  byId("columns").append(talk.element);
  refresh();
  return talk;
}

function refresh() {
  const runs = talks.some((talk) => talk.runs);
  bench.querySelector("[data-do=stop]").hidden = !runs;
  byId("composer").querySelector(".primary").disabled = runs;
  document.querySelector("[data-do=add]").disabled = talks.length >= TALKS_MAX;
  for (const talk of talks) {
    talk.element.querySelector("[data-do=remove]").hidden = talks.length === 1;
  }
  const cost = talks.reduce((sum, talk) => sum + talk.cost, 0);
  byId("total").hidden = cost === 0;
  byId("total-cost").textContent = money(cost);
  save();
}

function save() {
  if (byId("keep").checked) store.keep(talks, parameters());
}

function complain(text) {
  byId("trouble").hidden = !text;
  byId("trouble").textContent = text;
}

async function send() {
  const text = message.value.trim();
  if ((!text && !images().length) || talks.some((talk) => talk.runs)) return;
  complain("");
  const empty = talks.find((talk) => !talk.model);
  if (empty) {
    complain(words.noModel);
    empty.field.focus();
    return;
  }
  if (!byId("parameters").reportValidity()) {
    byId("options").open = true;
    return;
  }
  const content = images().length
    ? [
        ...(text ? [{ type: "text", text }] : []),
        ...images().map((url) => ({ type: "image_url", image_url: { url } })),
      ]
    : text;
  message.value = "";
  drop();
  const asked = talks.map((talk) => talk.ask(content, parameters()).finally(refresh));
  refresh();
  await Promise.allSettled(asked);
  message.focus();
}

function stop() {
  for (const talk of talks) talk.stop();
}

function clear() {
  if (talks.some((talk) => talk.messages.length) && !confirm(words.clear)) return;
  stop();
  const models = talks.map((talk) => talk.model);
  byId("columns").replaceChildren();
  talks = [];
  for (const model of models) open(model);
  message.focus();
}

function write(language) {
  byId("code-text").textContent = code(language, talks[0], parameters());
  for (const button of byId("languages").children) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
}

const actions = {
  add: () => open(talks.at(-1)?.model ?? "").field.select(),
  clear,
  stop,
  close: () => byId("code").close(),
  code: () => {
    write("curl");
    byId("code").showModal();
  },
};

document.addEventListener("click", (event) => {
  actions[event.target.closest("[data-do]")?.dataset.do]?.();
});
byId("languages").addEventListener("click", (event) => {
  if (event.target.dataset.language) write(event.target.dataset.language);
});
byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
message.addEventListener("keydown", (event) => {
  // While an input method composes, Enter chooses a word.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !byId("code").open) stop();
});
byId("parameters").addEventListener("submit", (event) => event.preventDefault());
byId("parameters").addEventListener("change", save);
byId("keep").addEventListener("change", () => (byId("keep").checked ? save() : store.drop()));
byId("columns").addEventListener("paid", refresh);
watch(() => complain(words.tooLarge));

const before = store.kept();
byId("keep").checked = before !== null;
for (const [name, value] of Object.entries(before?.parameters ?? {})) {
  byId("parameters").elements[name].value = value;
}
for (const { model, messages } of before?.talks ?? []) open(model, messages);
const asked = new URLSearchParams(location.search).get("model");
if (asked) open(asked);
if (!talks.length) open(bench.dataset.model);
bench.hidden = byId("tools").hidden = false;
