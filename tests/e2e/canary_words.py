"""Requests and answers with a canary in each of their parts."""

import base64
import json

from tests import scripts
from tests.e2e.serving import CHAT, COUNT, GEMINI_COUNT, GENERATE, MESSAGES, RESPONSES
from tests.emulator import Script


def packed(text):
    return base64.b64encode(text.encode()).decode()


def rich(scene, protocol):
    """Return the fields of a request with a word in each."""
    word, latin = scene.word, scene.latin
    unknown = {latin("unknown-key"): word("unknown-field")}
    picture = "data:image/png;base64," + packed(word("image-data"))
    link = f"https://example.com/{latin('image-link')}.png"
    schema = {"type": "object", "description": word("tool-description")}
    if protocol is CHAT:
        call = {
            "id": "t1",
            "type": "function",
            "function": {
                "name": latin("tool-name"),
                "arguments": json.dumps({"a": word("tool-arguments")}),
            },
        }
        tool = {"type": "function", "function": {"name": latin("tool-name"), "parameters": schema}}
        file = {"filename": word("file-name"), "file_data": packed(word("file-data"))}
        return {
            "messages": [
                {"role": "system", "content": word("system")},
                {"role": "user", "name": latin("user-id"), "content": [
                    {"type": "text", "text": word("user")},
                    {"type": "image_url", "image_url": {"url": picture}},
                    {"type": "image_url", "image_url": {"url": link}},
                    {"type": "file", "file": file},
                ]},
                {"role": "assistant", "content": word("assistant"), "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "t1", "content": word("tool-content")},
            ],
            "tools": [tool], "stop": [word("stop")], "user": word("user-id"),
            "metadata": {"m": word("metadata")}, **unknown,
        }  # fmt: skip
    if protocol in (MESSAGES, COUNT):
        source = {"type": "base64", "media_type": "image/png", "data": packed(word("image-data"))}
        use = {"type": "tool_use", "id": "t1", "name": latin("tool-name"),
               "input": {"a": word("tool-arguments")}}  # fmt: skip
        result = {"type": "tool_result", "tool_use_id": "t1", "content": word("tool-content")}
        found = {
            "system": word("system"),
            "messages": [
                {"role": "user", "content": [
                    {"type": "text", "text": word("user")}, {"type": "image", "source": source}]},
                {"role": "assistant", "content": [
                    {"type": "text", "text": word("assistant")}, use]},
                {"role": "user", "content": [result]},
            ],
            "tools": [{"name": latin("tool-name"), "input_schema": schema}], **unknown,
        }  # fmt: skip
        if protocol is MESSAGES:
            found |= {"stop_sequences": [word("stop")], "metadata": {"user_id": word("user-id")}}
        return found
    if protocol in (GENERATE, GEMINI_COUNT):
        inline = {"mimeType": "image/png", "data": packed(word("image-data"))}
        found = {
            "contents": [
                {"role": "user", "parts": [{"text": word("user")}, {"inlineData": inline}]},
                {"role": "model", "parts": [{"functionCall": {
                    "name": latin("tool-name"), "args": {"a": word("tool-arguments")}}}]},
                {"role": "user", "parts": [{"functionResponse": {
                    "name": latin("tool-name"), "response": {"r": word("tool-content")}}}]},
            ], **unknown,
        }  # fmt: skip
        if protocol is GENERATE:
            found["systemInstruction"] = {"parts": [{"text": word("system")}]}
        return found
    if protocol is RESPONSES:
        return {
            "input": word("user"),
            "instructions": word("system"),
            "metadata": {"m": word("metadata")},
            "safety_identifier": word("user-id"),
            **unknown,
        }
    return {"input": [word("user")], "user": word("user-id"), **unknown}


# What vendors say


def answered(scene, protocol):
    """Return a whole answer with words in all its parts."""
    word, latin = scene.word, scene.latin
    headers = (("Content-Type", "application/json"), ("X-Answer", latin("answer-header")),
               ("Set-Cookie", f"c={latin('answer-header')}"))  # fmt: skip
    usage = {
        "prompt_tokens": 5,
        "completion_tokens": 3,
        "total_tokens": 8,
        "input_tokens": 5,
        "output_tokens": 3,
        "service_tier": word("answer-tier"),
        latin("answer-usage"): word("answer-usage"),
    }
    gemini_usage = {
        "promptTokenCount": 5,
        "candidatesTokenCount": 3,
        "totalTokenCount": 8,
        "trafficType": word("answer-tier"),
        latin("answer-usage"): word("answer-usage"),
    }
    call = {"name": latin("answer-tool"), "arguments": json.dumps({"a": word("answer-tool")})}
    bodies = {
        "chat": {"id": latin("answer-id"), "object": "chat.completion", "created": 1,
                 "model": latin("answer-model"), "usage": usage, "choices": [
                     {"index": 0, "finish_reason": latin("answer-finish"), "message": {
                         "role": "assistant", "content": word("answer"), "tool_calls": [
                             {"id": "t", "type": "function", "function": call}]}}]},
        "responses": {"id": latin("answer-id"), "object": "response", "status": "completed",
                      "model": latin("answer-model"), "usage": usage, "output": [
                          {"type": "message", "role": "assistant", "content": [
                              {"type": "output_text", "text": word("answer")}]}]},
        "embeddings": {"object": "list", "model": latin("answer-model"), "usage": usage,
                       "data": [{"index": 0, "embedding": [0.5], "x": word("answer")}]},
        "messages": {"id": latin("answer-id"), "type": "message", "role": "assistant",
                     "model": latin("answer-model"), "stop_reason": latin("answer-finish"),
                     "usage": usage, "content": [{"type": "text", "text": word("answer")}]},
        "count_tokens": {"input_tokens": 5, "x": word("answer")},
        "generate": {"candidates": [{"finishReason": latin("answer-finish"), "content": {
            "role": "model", "parts": [{"text": word("answer")}]}}],
            "usageMetadata": gemini_usage, "modelVersion": latin("answer-model")},
        "gemini_count": {"totalTokens": 5, "x": word("answer")},
    }  # fmt: skip
    body = json.dumps(bodies[protocol.name], ensure_ascii=False).encode()
    return Script(headers=headers, chunks=[body])


def streamed(scene, protocol, place="answer", *, count=3, **options):
    """Return a stream of words that tell where they come from."""
    texts = [f"{scene.word(place)} {n}" for n in range(count)]
    if protocol is MESSAGES:
        events = scripts.message_events(model=scene.latin("answer-model"), texts=texts)
    elif protocol is GENERATE:
        events = scripts.gemini_events(texts=texts)
    else:
        events = scripts.chat_events(model=scene.latin("answer-model"), texts=texts)
    return scripts.stream(events, **options)


def refused(scene, status):
    """Return a vendor's error, told in the words of all vendors at once."""
    word = scene.word("vendor-error")
    error = {"message": word, "type": word, "code": scene.word("vendor-code"), "param": word,
             "status": word, "details": [{"reason": word, "retryDelay": word}]}  # fmt: skip
    body = {"type": "error", "error": error, "message": word, "detail": word}
    headers = (("Content-Type", "application/json"), ("Retry-After", scene.latin("vendor-error")))
    return Script(status=status, headers=headers, chunks=[json.dumps(body).encode()])
