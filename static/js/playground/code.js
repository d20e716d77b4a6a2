// A conversation as the request of a program.

const PLACE = "data:image/…"; // an image would fill pages

export function code(language, talk, { system, ...parameters }) {
  const said = talk.messages.map(({ role, content }) => ({ role, content: short(content) }));
  const messages = system ? [{ role: "system", content: system }, ...said] : said;
  const body = { model: talk.model, messages, ...parameters };
  return WRITERS[language](body, location.origin);
}

function short(content) {
  if (typeof content === "string") return content;
  return content.map((part) =>
    part.type === "image_url" ? { ...part, image_url: { url: PLACE } } : part,
  );
}

const WRITERS = {
  curl: (body, origin) =>
    [
      `curl ${origin}/v1/chat/completions \\`,
      `  -H "Authorization: Bearer $BANANAROUTER_API_KEY" \\`,
      `  -H "Content-Type: application/json" \\`,
      `  -d '${JSON.stringify(body, null, 2).replaceAll("'", "'\\''")}'`,
    ].join("\n"),
  python: (body, origin) =>
    [
      "import os",
      "from openai import OpenAI",
      "",
      "client = OpenAI(",
      `    base_url="${origin}/v1",`,
      '    api_key=os.environ["BANANAROUTER_API_KEY"],',
      ")",
      "answer = client.chat.completions.create(",
      ...Object.entries(body).map(([name, value]) => `    ${name}=${python(value, 1)},`),
      ")",
      "print(answer.choices[0].message.content)",
    ].join("\n"),
  javascript: (body, origin) =>
    [
      'import OpenAI from "openai";',
      "",
      "const client = new OpenAI({",
      `  baseURL: "${origin}/v1",`,
      "  apiKey: process.env.BANANAROUTER_API_KEY,",
      "});",
      `const answer = await client.chat.completions.create(${JSON.stringify(body, null, 2)});`,
      "console.log(answer.choices[0].message.content);",
    ].join("\n"),
};

// Strings and numbers are written alike in JSON and in Python; nothing else occurs here.
function python(value, depth) {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const inner = "    ".repeat(depth + 1);
  const items = Array.isArray(value)
    ? value.map((item) => python(item, depth + 1))
    : Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${python(item, depth + 1)}`);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return `${open}\n${items.map((item) => `${inner}${item},\n`).join("")}${"    ".repeat(depth)}${close}`;
}
