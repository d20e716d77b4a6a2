// Conversations outlive the page only where the reader asked for it, on this device, without images.

const NAME = "playground";

export function kept() {
  try {
    return JSON.parse(localStorage.getItem(NAME));
  } catch {
    return null;
  }
}

export function keep(talks, parameters) {
  const shown = talks.map((talk) => ({
    model: talk.model,
    messages: talk.messages.map((message) => ({ ...message, content: bare(message.content) })),
  }));
  try {
    localStorage.setItem(NAME, JSON.stringify({ talks: shown, parameters }));
  } catch {
    drop(); // full: rather nothing than half of it
  }
}

export function drop() {
  localStorage.removeItem(NAME);
}

function bare(content) {
  if (typeof content === "string") return content;
  return content
    .filter((part) => part.type === "text")
    .map((part) => part.text)
    .join("\n");
}
