// Responses by `openai`.

import OpenAI from "openai";
import { answer, key, model, question, quick, report, thrown, url, weather } from "./place.mjs";

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
const ask = (input, more = {}) => ({ model, input, store: false, ...more });
const tell = ({ output_text: text, status: finish, usage }) => ({ text, finish, usage });

const whole = async () => tell(await client.responses.create(ask(`Hello ${quick}`)));

async function streamed() {
  const found = { text: "", chunks: 0 };
  for await (const event of await client.responses.create(
    ask(`Hello ${quick}`, { stream: true }),
  )) {
    found.chunks += 1;
    if (event.type === "response.output_text.delta") found.text += event.delta;
    if (event.type === "response.completed") {
      found.finish = event.response.status;
      found.usage = event.response.usage;
    }
  }
  return found;
}

const accumulated = async () =>
  tell(await client.responses.stream(ask(`Hello ${quick}`)).finalResponse());

async function loop() {
  const tools = [{ type: "function", name: "get_weather", parameters: weather, strict: true }];
  const include = ["reasoning.encrypted_content"];
  const input = [{ role: "user", content: question }];
  const calls = [];
  for (let turn = 0; turn < 3; turn += 1) {
    const stream = client.responses.stream(ask(input, { tools, include }));
    const response = await stream.finalResponse();
    const called = response.output.filter((item) => item.type === "function_call");
    if (!called.length) return { calls, text: response.output_text };
    input.push(...response.output);
    for (const { call_id, arguments: given } of called) {
      calls.push(JSON.parse(given));
      input.push({ type: "function_call_output", call_id, output: answer });
    }
  }
  return { calls, text: "the loop did not end" };
}

async function structured() {
  const format = { type: "json_schema", name: "weather", schema: weather, strict: true };
  const response = await client.responses.create(ask(quick, { text: { format } }));
  return JSON.parse(response.output_text);
}

// A vendor's break is `error` or, as OpenAI does too, a response that has failed.
async function broken() {
  const stream = client.responses.stream(ask("demo: pace=0 reset=6"));
  const { status, error } = await stream.finalResponse();
  if (status === "failed") throw new Error(error.message);
}

const errors = async () => ({
  limited: await thrown(() => client.responses.create(ask("demo: status=429"))),
  overloaded: await thrown(() => client.responses.create(ask("demo: status=503"))),
  invalid: await thrown(() => client.responses.create(ask("x", { max_output_tokens: -1 }))),
  unknown: await thrown(() => client.responses.create(ask("x", { model: "no/such" }))),
  stranger: await thrown(() =>
    client.withOptions({ apiKey: "bnr_live_wrong" }).responses.create(ask("x")),
  ),
  broken: await thrown(broken),
});

await report({ whole, streamed, accumulated, loop, structured, errors });
