"""Write a request as a client of Gemini generateContent does."""

from typing import Any

from tests.conformance.answers.envelopes import arguments
from tests.conformance.normal import Call, Media, Reasoning, Request, Result, Text, Tool
from tests.conformance.writers import encoding

SAMPLING = {
    "temperature": "temperature", "top_p": "topP", "top_k": "topK", "seed": "seed",
    "frequency_penalty": "frequencyPenalty", "presence_penalty": "presencePenalty",
    "n": "candidateCount",
}  # fmt: skip
ROLES = {"assistant": "model", "user": "user"}


def write(request: Request, *, seals: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "contents": [
            {"role": ROLES[turn.role], "parts": [_part(part) for part in turn.parts]}
            for turn in request.turns
        ]
    }
    if request.system:
        body["systemInstruction"] = {"parts": [{"text": text} for text in request.system]}
    if config := _config(request):
        body["generationConfig"] = config
    tools: list[dict[str, Any]] = []
    if request.tools:
        tools.append({"functionDeclarations": [_tool(tool) for tool in request.tools]})
    if request.searches:
        tools.append({"googleSearch": {}})
    if tools:
        body["tools"] = tools
    if request.choice:
        told: dict[str, Any] = {"mode": request.choice.mode.upper()}
        if request.choice.names:
            told["allowedFunctionNames"] = list(request.choice.names)
        body["toolConfig"] = {"functionCallingConfig": told}
    return body


def _config(request: Request) -> dict[str, Any]:
    config: dict[str, Any] = {SAMPLING[k]: v for k, v in request.sampling.items()}
    if request.max_tokens is not None:
        config["maxOutputTokens"] = request.max_tokens
    if request.stop:
        config["stopSequences"] = list(request.stop)
    if request.format:
        config["responseMimeType"] = "application/json"
        if request.format.schema is not None:
            config["responseJsonSchema"] = request.format.schema
    if request.modalities:
        config["responseModalities"] = ["TEXT", *(m.upper() for m in request.modalities)]
        if "audio" in request.modalities:
            voice = {"prebuiltVoiceConfig": {"voiceName": "alloy"}}
            config["speechConfig"] = {"voiceConfig": voice}
    if request.reasoning:
        config["thinkingConfig"] = _thinking(request.reasoning)
    return config


def _thinking(told: Reasoning) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if told.is_shown is not None:
        found["includeThoughts"] = told.is_shown
    if told.is_off:
        found["thinkingBudget"] = 0
    elif told.effort:
        found["thinkingLevel"] = {"max": "XHIGH"}.get(told.effort, told.effort.upper())
    elif told.budget is not None:
        found["thinkingBudget"] = told.budget
    return found


def _part(part: Any) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"text": part.text}
    if isinstance(part, Media):
        return _media(part)
    if isinstance(part, Call):
        return {"functionCall": {"name": part.name, "args": part.arguments}}
    assert isinstance(part, Result)
    told: dict[str, Any] = {"name": part.name, "response": _response(part)}
    if media := [_media(inner) for inner in part.parts if isinstance(inner, Media)]:
        told["parts"] = media
    return {"functionResponse": told}


def _response(result: Result) -> dict[str, Any]:
    text = encoding.text_of(result)
    if result.is_error:
        return {"error": text}
    found = arguments(text) if text.strip() else {"_raw": text}
    return {"output": text} if set(found) == {"_raw"} else found


def _media(media: Media) -> dict[str, Any]:
    if media.url:
        return {"fileData": {"mimeType": encoding.mime_of(media), "fileUri": media.url}}
    return {"inlineData": {"mimeType": media.mime, "data": encoding.encoded(media)}}


def _tool(tool: Tool) -> dict[str, Any]:
    found: dict[str, Any] = {"name": tool.name, "parametersJsonSchema": tool.schema}
    if tool.description:
        found["description"] = tool.description
    return found
