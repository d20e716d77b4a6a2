// One conversation with one model: its column on the page, and what was said in it.

import { Failure, complete, lookUp } from "./stream.js";
import { forget, key, NoKey } from "./key.js";
import { show } from "./text.js";

const words = document.getElementById("words").dataset;
const piece = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);

export const money = (usd) =>
  `$${usd.toFixed(9).replace(/0+$/, "").replace(/\.(\d?)$/, (_, digit) => `.${digit.padEnd(2, "0")}`)}`;

export class Talk {
  constructor(bench, model, messages = []) {
    this.bench = bench;
    this.element = piece("column");
    this.log = this.element.querySelector(".log");
    this.field = this.element.querySelector(".model");
    this.field.value = model;
    this.messages = [];
    for (const message of messages) this.add(message);
    this.stopper = null;
    this.cost = 0;
  }

  get model() {
    return this.field.value.trim();
  }

  get runs() {
    return this.stopper !== null;
  }

  stop() {
    this.stopper?.abort();
  }

  add(message) {
    this.messages.push(message);
    return this.draw(message);
  }

  draw(message) {
    this.log.querySelector(".hint")?.remove();
    const turn = piece("turn");
    turn.classList.add(message.role);
    turn.querySelector("h3").textContent = message.role === "user" ? words.you : message.model;
    const said = turn.querySelector(".said");
    for (const part of parts(message)) {
      if (part.type === "text") show(said, part.text);
      else said.append(picture(part.image_url.url));
    }
    this.log.append(turn);
    this.follow();
    return turn;
  }

  follow() {
    this.log.scrollTop = this.log.scrollHeight;
  }

  // Ask the model; resolves when the answer ended, however it ended.
  async ask(content, options) {
    if (!this.model) {
      this.field.focus();
      throw new Failure("said", words.noModel);
    }
    this.add({ role: "user", content });
    const answer = { role: "assistant", model: this.model, content: "" };
    const turn = this.draw(answer);
    this.stopper = new AbortController();
    this.log.setAttribute("aria-busy", "true");
    const state = { began: performance.now(), id: null, usage: null, text: "", turn };
    try {
      await this.run(options, state);
      if (!state.text) fail(turn, words.empty);
    } catch (error) {
      fail(turn, wording(error));
    }
    this.stopper = null;
    this.log.removeAttribute("aria-busy");
    answer.content = state.text;
    if (state.text) this.messages.push(answer);
    else this.messages.pop(); // a question without an answer is not sent again
    const said = turn.querySelector(".said");
    said.replaceChildren();
    show(said, state.text);
    await this.account(state);
    this.follow();
  }

  async run(options, state) {
    const { system, ...parameters } = options;
    const said = this.messages.map(({ role, content }) => ({ role, content }));
    const messages = system ? [{ role: "system", content: system }, ...said] : said;
    const body = { model: this.model, messages, ...parameters };
    const line = state.turn.querySelector(".said").appendChild(document.createElement("p"));
    const thinking = state.turn.querySelector(".thinking");
    for await (const event of complete(body, await key(this.bench), this.stopper.signal)) {
      if (event.id) state.id = event.id;
      if (event.status === 401) forget();
      if (event.usage) state.usage = event.usage;
      if (event.reasoning) {
        thinking.hidden = false;
        thinking.querySelector(".text").append(event.reasoning);
      }
      if (event.text) {
        state.text += event.text;
        line.append(event.text);
        this.follow();
      }
    }
  }

  async account(state) {
    const seconds = ((performance.now() - state.began) / 1000).toFixed(1);
    const usage =
      state.usage?.cost === undefined && state.id
        ? await lookUp(state.id, await key(this.bench).catch(() => ""))
        : state.usage;
    if (usage?.cost === undefined || usage.cost === null) return;
    this.cost += usage.cost;
    const facts = usage.prompt_tokens || usage.completion_tokens ? words.facts : words.factsBare;
    const line = state.turn.querySelector(".facts-line");
    line.hidden = false;
    line.textContent = facts
      .replace("{cost}", money(usage.cost))
      .replace("{in}", usage.prompt_tokens)
      .replace("{out}", usage.completion_tokens)
      .replace("{seconds}", seconds);
    this.element.dispatchEvent(new Event("paid", { bubbles: true }));
  }
}

function parts({ content }) {
  return typeof content === "string" ? [{ type: "text", text: content }] : content;
}

function picture(url) {
  const image = document.createElement("img");
  image.src = url;
  image.alt = "";
  return image;
}

function fail(turn, message) {
  const line = turn.querySelector(".failure");
  line.hidden = false;
  line.textContent = message;
}

function wording(error) {
  if (error.name === "AbortError") return words.stopped;
  if (error instanceof NoKey) return words.noKey;
  if (error instanceof Failure) return error.message || words[error.kind];
  throw error;
}
