// generateContent by `@google/genai`.

import { GoogleGenAI } from "@google/genai";
import { answer, key, model, question, quick, report, thrown, url, weather } from "./place.mjs";

const connect = (apiKey) => new GoogleGenAI({ apiKey, httpOptions: { baseUrl: url } });
const { models } = connect(key);
const ask = (contents, config = {}) => ({ model, contents, config });

async function whole() {
  const found = await models.generateContent(ask(`Hello ${quick}`));
  const finish = found.candidates[0].finishReason;
  return { text: found.text, finish, usage: found.usageMetadata };
}

async function collect(request) {
  const found = { text: "", chunks: 0, parts: [] };
  for await (const chunk of await models.generateContentStream(request)) {
    found.chunks += 1;
    found.text += chunk.text ?? "";
    found.finish = chunk.candidates[0].finishReason ?? found.finish;
    found.usage = chunk.usageMetadata ?? found.usage;
    found.parts.push(...(chunk.candidates[0].content?.parts ?? []));
  }
  return found;
}

const streamed = () => collect(ask(`Hello ${quick}`));

async function loop() {
  const declared = { name: "get_weather", parametersJsonSchema: weather };
  const config = { tools: [{ functionDeclarations: [declared] }] };
  const contents = [{ role: "user", parts: [{ text: question }] }];
  const calls = [];
  for (let turn = 0; turn < 3; turn += 1) {
    const { text, parts } = await collect(ask(contents, config));
    const called = parts.filter((part) => part.functionCall).map((part) => part.functionCall);
    if (!called.length) return { calls, text };
    calls.push(...called.map((call) => call.args));
    contents.push({ role: "model", parts });
    contents.push({
      role: "user",
      parts: called.map(({ id, name }) => ({
        functionResponse: { id, name, response: { output: answer } },
      })),
    });
  }
  return { calls, text: "the loop did not end" };
}

async function structured() {
  const config = { responseMimeType: "application/json", responseJsonSchema: weather };
  return JSON.parse((await models.generateContent(ask(quick, config))).text);
}

const errors = async () => ({
  limited: await thrown(() => models.generateContent(ask("demo: status=429"))),
  overloaded: await thrown(() => models.generateContent(ask("demo: status=503"))),
  invalid: await thrown(() => models.generateContent(ask("x", { maxOutputTokens: -1 }))),
  unknown: await thrown(() => models.generateContent({ ...ask("x"), model: "no-such" })),
  stranger: await thrown(() =>
    connect("bnr_live_wrong").models.generateContent(ask("x")),
  ),
  broken: await thrown(() => collect(ask("demo: pace=0 reset=4"))),
});

await report({ whole, streamed, loop, structured, errors });
