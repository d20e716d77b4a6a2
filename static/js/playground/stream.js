// One chat completion as it streams: yields what its events say. Its own failures carry `kind`.

export class Failure extends Error {
  constructor(kind, message = "") {
    super(message);
    this.kind = kind; // "said": the API's own words; "offline", "cut"
  }
}

export async function* complete(body, key, signal) {
  let answer;
  try {
    answer = await fetch("/api/v1/chat/completions", {
      method: "POST",
      headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" },
      body: JSON.stringify({ ...body, stream: true }),
      signal,
    });
  } catch (error) {
    throw error.name === "AbortError" ? error : new Failure("offline");
  }
  yield { id: answer.headers.get("X-Generation-Id"), status: answer.status };
  if (!answer.ok) throw new Failure("said", await reason(answer));
  let ended = false;
  for await (const data of events(answer.body)) {
    if (data === "[DONE]") {
      ended = true;
      break;
    }
    yield* read(JSON.parse(data));
  }
  if (!ended) throw new Failure("cut");
}

async function reason(answer) {
  try {
    return (await answer.json()).error.message;
  } catch {
    return `${answer.status} ${answer.statusText}`;
  }
}

function* read(chunk) {
  if (chunk.error) throw new Failure("said", chunk.error.message);
  const delta = chunk.choices?.[0]?.delta ?? {};
  if (delta.reasoning) yield { reasoning: delta.reasoning };
  if (delta.content) yield { text: delta.content };
  if (delta.refusal) yield { text: delta.refusal };
  if (chunk.usage) yield { usage: chunk.usage };
}

// The data of server-sent events; comment lines keep the connection alive and say nothing.
async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) if (line.startsWith("data:")) yield line.slice(5).trim();
    }
  } catch (error) {
    throw error.name === "AbortError" ? error : new Failure("cut");
  } finally {
    reader.cancel().catch(() => {});
  }
}

// What a request cost that was stopped, or that told no usage: the log has it a moment later.
export async function lookUp(id, key) {
  for (const wait of [300, 700, 1500, 3000]) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    const answer = await fetch(`/api/v1/generation?id=${encodeURIComponent(id)}`, {
      headers: { Authorization: `Bearer ${key}` },
    }).catch(() => null);
    if (!answer?.ok) continue;
    const { data } = await answer.json();
    return {
      cost: data.total_cost,
      prompt_tokens: data.tokens_prompt,
      completion_tokens: data.tokens_completion,
    };
  }
  return null;
}
