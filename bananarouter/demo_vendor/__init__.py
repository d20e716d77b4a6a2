"""A small local server that plays an LLM vendor, so that the gateway works without any account.

No language model runs here: every answer says that it is simulated. What is real: the three
vendors' protocols (OpenAI chat, responses and embeddings; Anthropic messages; Gemini), token
counts from a real tokenizer, a realistic pace, tool calls, JSON schemas, prompt caching.
Images are patterns, speech is a tone, a transcript says that nobody listened; moderation looks
for a few words, reranking counts the words in common.

It misbehaves on request. Write `demo:` and instructions anywhere in the latest message
(`demo: status=429`, `demo: tokens=400 cut=20`):

    status=N    answer with HTTP status N in the protocol's own error form (429, 500, 529 ...)
    first=S     wait S seconds before the first byte
    stall=N     fall silent for good after N events
    cut=N       close the connection cleanly after N events, without the end
    reset=N     reset the connection after N events
    error=N     send the protocol's error event after N events
    garbage=N   send bytes that are no event after N events
    no-usage    leave the usage out
    slow=X      X times slower; pace=0 as fast as possible
    tokens=N    an answer of N tokens
    refuse      stop for a content filter

and it calls what it is told to, where that tool is offered: `demo: call=NAME {arguments}`. Calls
behind one `demo:` are made at once, the next `demo:` waits for their results.

A whole answer counts as one event. The package imports neither Django nor the gateway.
"""
