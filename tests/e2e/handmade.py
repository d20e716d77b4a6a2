"""Exchanges made by hand, for vendors that have no recordings. Marked so wherever they count.

Shapes after the vendors' documents and `vendors.md` beside the repository: DashScope gives usage
in a last chunk without choices when asked; Moonshot repeats it inside the last choice; both
report cached tokens inside the prompt and reasoning inside the completion.
"""

import json

USER = [{"role": "user", "content": "What is 6 x 7? 请简短回答。"}]
SSE = {"content-type": "text/event-stream; charset=utf-8"}
JSON = {"content-type": "application/json"}


def _usage(prompt, completion, *, cached=0, reasoning=0):
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def _case(vendor, model, kind, body, *, status=200, **request):
    is_stream = kind == "sse"
    return {
        "id": f"{vendor}.handmade.{kind}{len(body)}",
        "vendor": vendor,
        "protocol": "openai-chat",
        "endpoint": "chat/completions",
        "model": model,
        "stream": is_stream,
        "request": {
            "method": "POST",
            "path": "/v1/chat/completions",
            "headers": {},
            "body": {"model": model, "messages": USER, **request},
        },
        "response": {"status": status, "headers": SSE if is_stream else JSON, "body": body},
    }


def _answer(model, usage, *, message):
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps(
        {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model,
         "choices": [choice], "usage": usage}, ensure_ascii=False,
    )  # fmt: skip


def _stream(model, deltas, tail):
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model}
    chunks = [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        for delta in deltas
    ]
    lines = [json.dumps(c, ensure_ascii=False) for c in [*chunks, *({**head, **t} for t in tail)]]
    return "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"])


def _end(**more):
    return {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", **more}]}


DEEP = [{"role": "assistant", "content": None, "reasoning_content": "6 x 7"}, {"content": "四十二"}]
PLAIN = [{"role": "assistant", "content": "42"}, {"content": "。"}]
QWEN, KIMI = "qwen3.8-max", "kimi-k3"
CASES = [
    _case("dashscope", QWEN, "json",
          _answer(QWEN, _usage(31, 40, cached=16, reasoning=33),
                  message={"role": "assistant", "content": "42", "reasoning_content": "6 x 7"})),
    _case("dashscope", QWEN, "sse",
          _stream(QWEN, DEEP, [_end(), {"choices": [], "usage": _usage(31, 40, reasoning=33)}]),
          stream=True, stream_options={"include_usage": True}),
    _case("dashscope", QWEN, "json",
          '{"error":{"message":"Range of input length should be [1, 258048]","type":'
          '"invalid_request_error","param":null,"code":"invalid_parameter_error"}}', status=400),
    _case("moonshot", KIMI, "json",
          _answer(KIMI, {**_usage(28, 12), "cached_tokens": 20},
                  message={"role": "assistant", "content": "42"})),
    _case("moonshot", KIMI, "sse",
          _stream(KIMI, PLAIN, [{**_end(usage=_usage(28, 12)), "usage": _usage(28, 12)}]),
          stream=True),
    _case("moonshot", KIMI, "json",
          '{"error":{"message":"Incorrect API key provided","type":'
          '"incorrect_api_key_error"}}', status=401),
]  # fmt: skip
