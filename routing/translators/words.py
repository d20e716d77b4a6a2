"""What a client calls the fields that the vendors' sides name in words of chat completions (pure).

A refusal and `X-Dropped-Parameters` name a field as the client wrote it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from routing.errors import RelayError
from routing.surfaces import Surface

_CONFIG: Final = "generationConfig."
_WORDS: Mapping[Surface, Mapping[str, str]] = {
    Surface.RESPONSES: {
        "reasoning_effort": "reasoning.effort",
        "response_format": "text.format",
        "response_format.json_schema": "text.format",
        "response_format.json_schema.strict": "text.format.strict",
        "response_format.schema": "text.format.schema",
        "verbosity": "text.verbosity",
        "logprobs": "top_logprobs",
        "file": "input_file",
        "image_url": "input_image.image_url",
        "web_search.allowed_domains": "tools.filters.allowed_domains",
        "web_search.user_location": "tools.user_location",
        "search_context_size": "tools.search_context_size",
        "web_search.search_context_size": "tools.search_context_size",
    },
    Surface.MESSAGES: {
        "stop": "stop_sequences",
        "reasoning": "thinking",
        "reasoning_effort": "thinking",
        "response_format": "output_config.format",
        "response_format.schema": "output_config.format.schema",
        "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
        "file": "document",
        "image_url": "image.source.url",
        "web_search.allowed_domains": "tools.allowed_domains",
        "blocked_domains": "tools.blocked_domains",
        "web_search.user_location": "tools.user_location",
        "web_search.max_uses": "tools.max_uses",
    },
    Surface.GENERATE: {
        "n": _CONFIG + "candidateCount",
        "stop": _CONFIG + "stopSequences",
        "seed": _CONFIG + "seed",
        "temperature": _CONFIG + "temperature",
        "top_p": _CONFIG + "topP",
        "top_k": _CONFIG + "topK",
        "logprobs": _CONFIG + "responseLogprobs",
        "frequency_penalty": _CONFIG + "frequencyPenalty",
        "presence_penalty": _CONFIG + "presencePenalty",
        "modalities": _CONFIG + "responseModalities",
        "reasoning": _CONFIG + "thinkingConfig",
        "reasoning_effort": _CONFIG + "thinkingConfig",
        "response_format": _CONFIG + "responseSchema",
        "response_format.schema": _CONFIG + "responseSchema",
        "input_audio": "inlineData of audio",
        "video": "inlineData of video",
        "file": "fileData",
        "image_url": "fileData",
    },
}


def told(name: str, client: Surface) -> str:
    """Return a field's name in the client's own protocol."""
    return _WORDS.get(client, {}).get(name, name)


def retold(error: RelayError, client: Surface) -> RelayError:
    """Return a refusal that names its field as the client does."""
    name = error.param or ""
    own = told(name, client)
    if own == name:
        return error
    return replace(error, param=own, message=error.message.replace(f"`{name}`", f"`{own}`"))
