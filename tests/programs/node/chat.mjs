// Chat completions by `openai`.

import OpenAI from "openai";
import { answer, key, model, question, quick, report, thrown, url, weather } from "./place.mjs";

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
const ask = (content, more = {}) => ({ model, messages: [{ role: "user", content }], ...more });

async function whole() {
  const { choices, usage } = await client.chat.completions.create(ask(`Hello ${quick}`));
  return { text: choices[0].message.content, finish: choices[0].finish_reason, usage };
}

async function streamed() {
  const events = await client.chat.completions.create(
    ask(`Hello ${quick}`, { stream: true, stream_options: { include_usage: true } }),
  );
  const found = { text: "", chunks: 0 };
  for await (const chunk of events) {
    found.chunks += 1;
    found.text += chunk.choices[0]?.delta.content ?? "";
    found.finish = chunk.choices[0]?.finish_reason ?? found.finish;
    found.usage = chunk.usage ?? found.usage;
  }
  return found;
}

async function accumulated() {
  const stream = client.chat.completions.stream(
    ask(`Hello ${quick}`, { stream_options: { include_usage: true } }),
  );
  const { choices, usage } = await stream.finalChatCompletion();
  return { text: choices[0].message.content, finish: choices[0].finish_reason, usage };
}

async function loop() {
  const calls = [];
  const runner = client.chat.completions.runTools(
    ask(question, {
      stream: true,
      tools: [
        {
          type: "function",
          function: {
            name: "get_weather",
            description: "The weather of a city",
            parameters: weather,
            parse: JSON.parse,
            function: (given) => (calls.push(given), answer),
          },
        },
      ],
    }),
  );
  const text = await runner.finalContent();
  return { calls, text, roles: runner.messages.map((message) => message.role) };
}

async function structured() {
  const json_schema = { name: "weather", schema: weather, strict: true };
  const { choices } = await client.chat.completions.create(
    ask(quick, { response_format: { type: "json_schema", json_schema } }),
  );
  return JSON.parse(choices[0].message.content);
}

const errors = async () => ({
  limited: await thrown(() => client.chat.completions.create(ask("demo: status=429"))),
  overloaded: await thrown(() => client.chat.completions.create(ask("demo: status=503"))),
  invalid: await thrown(() => client.chat.completions.create(ask("x", { max_tokens: -1 }))),
  unknown: await thrown(() => client.chat.completions.create(ask("x", { model: "no/such" }))),
  stranger: await thrown(() =>
    client.withOptions({ apiKey: "bnr_live_wrong" }).chat.completions.create(ask("x")),
  ),
  broken: await thrown(() =>
    client.chat.completions.stream(ask("demo: pace=0 reset=4")).finalChatCompletion(),
  ),
});

await report({ whole, streamed, accumulated, loop, structured, errors });
