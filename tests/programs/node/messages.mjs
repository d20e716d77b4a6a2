// Messages by `@anthropic-ai/sdk`.

import Anthropic from "@anthropic-ai/sdk";
import { answer, key, model, question, quick, report, thrown, url, weather } from "./place.mjs";

const client = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0 });
const ask = (content, more = {}) => ({
  model,
  max_tokens: 600,
  messages: [{ role: "user", content }],
  ...more,
});
const textOf = (content) =>
  content
    .filter((block) => block.type === "text")
    .map((block) => block.text)
    .join("");
const tell = ({ content, stop_reason: finish, usage }) => ({
  text: textOf(content),
  finish,
  usage,
  kinds: content.map((block) => block.type),
});

const whole = async () => tell(await client.messages.create(ask(`Hello ${quick}`)));

async function streamed() {
  const found = { text: "", chunks: 0 };
  for await (const event of await client.messages.create(
    ask(`Hello ${quick}`, { stream: true }),
  )) {
    found.chunks += 1;
    if (event.type === "content_block_delta") found.text += event.delta.text ?? "";
    if (event.type === "message_delta") {
      found.finish = event.delta.stop_reason;
      found.usage = event.usage;
    }
  }
  return found;
}

const accumulated = async () =>
  tell(await client.messages.stream(ask(`Hello ${quick}`)).finalMessage());

async function loop() {
  const tools = [{ name: "get_weather", input_schema: weather }];
  const messages = [{ role: "user", content: question }];
  const calls = [];
  for (let turn = 0; turn < 3; turn += 1) {
    const message = await client.messages
      .stream({ ...ask(""), messages, tools })
      .finalMessage();
    const called = message.content.filter((block) => block.type === "tool_use");
    if (!called.length) return { calls, text: textOf(message.content) };
    calls.push(...called.map((block) => block.input));
    const results = called.map(({ id }) => ({
      type: "tool_result",
      tool_use_id: id,
      content: answer,
    }));
    messages.push({ role: "assistant", content: message.content });
    messages.push({ role: "user", content: results });
  }
  return { calls, text: "the loop did not end" };
}

async function structured() {
  const format = { type: "json_schema", schema: weather };
  const message = await client.messages.create(ask(quick, { output_config: { format } }));
  return JSON.parse(textOf(message.content));
}

const errors = async () => ({
  limited: await thrown(() => client.messages.create(ask("demo: status=429"))),
  overloaded: await thrown(() => client.messages.create(ask("demo: status=503"))),
  invalid: await thrown(() => client.messages.create(ask("x", { max_tokens: -1 }))),
  unknown: await thrown(() => client.messages.create(ask("x", { model: "no/such" }))),
  stranger: await thrown(() =>
    client.withOptions({ apiKey: "bnr_live_wrong" }).messages.create(ask("x")),
  ),
  broken: await thrown(() =>
    client.messages.stream(ask("demo: pace=0 reset=5")).finalMessage(),
  ),
});

await report({ whole, streamed, accumulated, loop, structured, errors });
