"""Every field of the vendors' request schemas that could name something stored at a vendor.

Generated from the schemas: a new field with such a name fails here until it is refused, or is
listed below as harmless with the reason.
"""

import json
import re
from collections.abc import Callable

import anthropic
import openai
import openai.types.audio
import pytest
import yaml
from google.genai import types as gemini_types
from pydantic import TypeAdapter

from routing.errors import Code, RelayError
from routing.surfaces import Surface
from tests.routing.dialects import calls, recordings

ID_BEARING = re.compile(
    r"(^|_)(ids?|uris?|handle|reference)$|[a-z](Ids?|Uris?|Names?)$|_name$"
    r"|container|conversation|vector_store|cached|skill|connector|tunnel|corpor|corpus|thread"
    r"|store|profile|workspace|preset|background|voice|data_?set|engine|^prompt$|template|token$"
    r"|fallbacks|mcp_servers|authorization|image$|^file$|resource",
    re.IGNORECASE,
)
# What JSON Schema documents and the caller's own functions are named is the caller's own.
OPAQUE = {
    "parameters",
    "parametersJsonSchema",
    "input_schema",
    "output_schema",
    "schema",
    "responseSchema",
    "responseJsonSchema",
    "response",
    "responseFormat",
    "parameters_json_schema",
}
REFUSING = {Code.VENDOR_HANDLE, Code.UNPRICED}

NAMES_A_CALL = "names a call inside this very conversation"
NAMES_ITSELF = "the item's own id: its content travels with it, and nothing of ours is stored"
NAMES_A_TOOL = "names a tool of this very request"
QUOTES = "tells where an earlier answer quoted from; the vendor reads no file by it"
CALLERS_OWN = "the caller's own server or secret, not something under our credential"

HARMLESS: dict[tuple[Surface, str], str] = {}


def harmless(surface: Surface, reason: str, names: str) -> None:
    HARMLESS.update({(surface, name): reason for name in names.split()})


harmless(Surface.CHAT, NAMES_A_CALL, "custom.id function.id tool.tool_call_id")
harmless(
    Surface.CHAT,
    "a file's name, beside its content",
    "FileFile.filename ChatCompletionRequestMessageContentPartFile.filename file.file",
)
harmless(
    Surface.CHAT,
    "the vendor's public voices are plain names; one's own is an object with an id: refused",
    "ChatCompletionAudioParam.voice CreateChatCompletionRequest.voice",
)
harmless(
    Surface.RESPONSES,
    NAMES_A_CALL,
    """apply_patch_call.call_id apply_patch_call_output.call_id computer_call.call_id
    computer_call_output.call_id custom_tool_call.call_id custom_tool_call_output.call_id
    function_call.call_id function_call_output.call_id local_shell_call.call_id program.call_id
    program.caller_id program_output.call_id shell_call.call_id shell_call_output.call_id
    tool_search_call.call_id tool_search_output.call_id mcp_call.approval_request_id
    mcp_approval_response.approval_request_id ComputerCallOutputAcknowledgedSafetyCheck.id
    ComputerCallSafetyCheckParam.id PendingSafetyCheck.id local_shell_call_output.id""",
)
harmless(
    Surface.RESPONSES,
    NAMES_ITSELF,
    """additional_tools.id apply_patch_call.id apply_patch_call_output.id code_interpreter_call.id
    compaction.id compaction_trigger.id computer_call.id computer_call_output.id
    configuration_update.id custom_tool_call.id custom_tool_call_output.id file_search_call.id
    function_call.id function_call_output.id local_shell_call.id mcp_approval_request.id
    mcp_approval_response.id mcp_call.id mcp_list_tools.id message.id program.id
    program_output.id reasoning.id shell_call.id shell_call_output.id tool_search_call.id
    tool_search_output.id web_search_call.id""",
)
harmless(
    Surface.RESPONSES,
    QUOTES,
    """container_file_citation.container_id container_file_citation.file_id
    container_file_citation.filename file_citation.file_id file_citation.filename
    file_path.file_id FileSearchToolCall.filename Result.filename""",
)
harmless(Surface.RESPONSES, "a file's name, beside its content", "input_file.filename")
harmless(
    Surface.RESPONSES,
    "a token of text",
    "LogProb.token Logprob.token LogprobTopLogprob.token TopLogProb.token",
)
harmless(Surface.RESPONSES, "how a picture looks", "image image_generation.background")
harmless(Surface.RESPONSES, CALLERS_OWN, "mcp.authorization local.skills")
harmless(
    Surface.MESSAGES,
    NAMES_A_CALL,
    """advisor_tool_result.tool_use_id bash_code_execution_tool_result.tool_use_id
    code_execution_20250825.tool_id code_execution_20260120.tool_id
    code_execution_tool_result.tool_use_id mcp_tool_result.tool_use_id mcp_tool_use.id
    server_tool_use.id text_editor_code_execution_tool_result.tool_use_id
    tool_result.tool_use_id tool_search_tool_result.tool_use_id tool_use.id
    web_fetch_tool_result.tool_use_id web_search_tool_result.tool_use_id""",
)
harmless(
    Surface.MESSAGES,
    NAMES_A_TOOL,
    """mcp_tool_listing.mcp_server_name mcp_tool_reference.server_name mcp_tool_use.server_name
    mcp_toolset.mcp_server_name mcp_toolset_reference.server_name tool_reference.tool_name
    tool_result.toolset_name tool_use.toolset_name""",
)
harmless(
    Surface.MESSAGES,
    QUOTES,
    "char_location.file_id content_block_location.file_id page_location.file_id",
)
harmless(
    Surface.MESSAGES,
    CALLERS_OWN,
    """mcp_servers BetaCreateMessageParams.mcp_servers url.authorization_token
    BetaBrowserStateTabEntryParam.tab_id tab_opened.tab_id download_started.download_id
    download_completed.download_id download_failed.download_id""",
)
harmless(
    Surface.MESSAGES,
    "replaced by our own tag of the account",
    "BetaMetadata.user_id BetaMetadataParam.user_id",
)
harmless(
    Surface.MESSAGES,
    "asks only where two prompts part, by an id nobody else is told; Claude Code sends it",
    "BetaDiagnosticsParam.previous_message_id",
)
harmless(
    Surface.MESSAGES,
    "how a picture is treated",
    "BetaImageTransformationsParam.oversized_image",
)
harmless(
    Surface.GENERATE,
    NAMES_A_CALL,
    """CodeExecutionResult.id ExecutableCode.id FunctionCall.id FunctionResponse.id ToolCall.id
    ToolResponse.id""",
)
harmless(Surface.GENERATE, NAMES_A_TOOL, "FunctionCallingConfig.allowedFunctionNames")
harmless(
    Surface.GENERATE,
    "a file's name, beside its content",
    """Blob.displayName FileData.displayName FunctionResponseBlob.displayName
    FunctionResponseFileData.displayName""",
)
harmless(
    Surface.GENERATE,
    "the vendor's public voices, or the caller's own sample inside the request",
    """MultiSpeakerVoiceConfig.speakerVoiceConfigs PrebuiltVoiceConfig.voiceName
    ReplicatedVoiceConfig.voiceConsentSignature ReplicatedVoiceConfig.voiceSampleAudio
    SpeakerVoiceConfig.voiceConfig SpeechConfig.multiSpeakerVoiceConfig SpeechConfig.voiceConfig
    VoiceConfig.prebuiltVoiceConfig VoiceConfig.replicatedVoiceConfig VoiceConfig.voice""",
)
for _surface, _root in (
    (Surface.IMAGES, "CreateImageRequest"),
    (Surface.IMAGE_EDITS, "EditImageBodyJsonParam"),
):
    harmless(_surface, "the words to draw", f"{_root}.prompt prompt")
    harmless(_surface, "transparent or not", f"{_root}.background background")
harmless(
    Surface.SPEECH,
    "the vendor's public voices are plain names; one's own is an object with an id: refused",
    "CreateSpeechRequest.voice voice",
)


class Walker:
    """Builds, for each property of a request's schema, a request that holds it."""

    def __init__(self, spec: dict) -> None:
        self.spec = spec
        self.found: dict[str, list] = {}
        self._seen: set[tuple[str, str]] = set()

    def walk(self, schema: dict, build: Callable, where: str = "") -> None:
        queue = [(schema, build, where)]
        while queue:  # breadth first: the shortest way to each type
            queue += self._step(*queue.pop(0))

    def _step(self, schema: dict, build: Callable, where: str) -> list:
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[-1]
            if (name, "ref") in self._seen:
                return []
            self._seen.add((name, "ref"))
            return [(self._resolve(schema["$ref"]), build, name)]
        return [
            *self._variants(schema, build, where),
            *self._properties(schema, build, where),
            *self._items(schema, build, where),
        ]

    def _variants(self, schema: dict, build: Callable, where: str) -> list:
        found = [
            (variant, build, where)
            for word in ("anyOf", "oneOf", "allOf")
            for variant in schema.get(word, ())
        ]
        # What all of the parts say together decides the type of the object.
        consts = self._consts(schema)
        if consts and "allOf" in schema:
            found = [(v, lambda x, b=b: b(_merged(consts, x)), w) for v, b, w in found]
        return found

    def _properties(self, schema: dict, build: Callable, where: str) -> list:
        consts = self._consts(schema)
        found = []
        for name, inner in schema.get("properties", {}).items():
            if not isinstance(inner, dict):
                continue

            def wrap(value, name=name):
                return build({**consts, name: value})

            if ID_BEARING.search(name):
                kind = consts.get("type") or consts.get("role") or where
                self.found.setdefault(f"{kind}.{name}".lstrip("."), []).append(
                    wrap(self._sample(inner))
                )
            if name not in OPAQUE:
                found.append((inner, wrap, f"{where}.{name}" if not where[:1].isupper() else where))
        return found

    def _items(self, schema: dict, build: Callable, where: str) -> list:
        found = []
        if isinstance(schema.get("items"), dict):
            found.append((schema["items"], lambda value: build([value]), where))
        if isinstance(schema.get("additionalProperties"), dict):
            found.append((schema["additionalProperties"], lambda value: build({"k": value}), where))
        return found

    def _consts(self, schema: dict) -> dict:
        """The members that say which of several objects this one is."""
        found = {}
        for part in schema.get("allOf", ()):
            found |= self._consts(self._resolve(part["$ref"]) if "$ref" in part else part)
        for name, inner in schema.get("properties", {}).items():
            if not isinstance(inner, dict):
                continue
            values = [inner["const"]] if "const" in inner else inner.get("enum", [])
            if name in ("type", "role") and values:
                found[name] = inner.get("default", values[0])
        return found

    def _resolve(self, ref: str) -> dict:
        node = self.spec
        for part in ref.removeprefix("#/").split("/"):
            node = node[part]
        return node

    def _sample(self, schema: dict, depth: int = 0):
        """A value that the field could hold, of the simplest kind that names something."""
        if "$ref" in schema and depth < 8:
            return self._sample(self._resolve(schema["$ref"]), depth + 1)
        variants = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
        for variant in variants:
            if variant.get("type") != "null":
                return self._sample(variant, depth + 1)
        kind = schema.get("type")
        if kind == "array":
            return [self._sample(schema.get("items", {}), depth + 1)]
        return {"object": {"id": "x-1"}, "boolean": True, "integer": 1}.get(str(kind), "x-1")


def _merged(consts, value):
    return {**consts, **value} if isinstance(value, dict) else value


def fields_of(surface: Surface) -> dict[str, list]:
    """Every id-bearing field, as `type of its object.name`, with requests that hold it."""
    minimal = calls.MINIMAL[surface]
    found: dict[str, list] = {}
    for spec, root in schemas_of(surface):
        walker = Walker(spec)
        walker.walk(root, lambda value: {**minimal, **value})
        for name, bodies in walker.found.items():
            found.setdefault(name, []).extend(bodies)
    return found


def schemas_of(surface: Surface) -> list[tuple[dict, dict]]:
    """The vendor's published schema and the types of its SDK, whichever exist."""
    specs = recordings.shared("specs")
    if surface.family == "gemini":
        spec = _gemini_spec()
        return [(spec, spec["root"])]
    params = SDK_PARAMS[surface]
    sdk = TypeAdapter(params).json_schema()
    if surface.family == "anthropic-messages":
        spec = json.loads((specs / "anthropic.openapi.json").read_text())
    else:
        spec = yaml.load((specs / "openai.openapi.yaml").read_text(), Loader=yaml.CSafeLoader)
    return [(spec, {"$ref": f"#/components/schemas/{ROOTS[surface]}"}), (sdk, sdk)]


ROOTS = {
    Surface.CHAT: "CreateChatCompletionRequest",
    Surface.RESPONSES: "CreateResponse",
    Surface.EMBEDDINGS: "CreateEmbeddingRequest",
    Surface.IMAGES: "CreateImageRequest",
    Surface.IMAGE_EDITS: "EditImageBodyJsonParam",
    Surface.SPEECH: "CreateSpeechRequest",
    Surface.MODERATIONS: "CreateModerationRequest",
    Surface.MESSAGES: "BetaCreateMessageParams",
}
SDK_PARAMS = {
    Surface.CHAT: openai.types.chat.completion_create_params.CompletionCreateParamsNonStreaming,
    Surface.RESPONSES: (
        openai.types.responses.response_create_params.ResponseCreateParamsNonStreaming
    ),
    Surface.EMBEDDINGS: openai.types.embedding_create_params.EmbeddingCreateParams,
    Surface.IMAGES: openai.types.image_generate_params.ImageGenerateParamsNonStreaming,
    Surface.IMAGE_EDITS: openai.types.image_generate_params.ImageGenerateParamsNonStreaming,
    Surface.SPEECH: openai.types.audio.speech_create_params.SpeechCreateParams,
    Surface.MODERATIONS: openai.types.moderation_create_params.ModerationCreateParams,
    Surface.MESSAGES: (anthropic.types.beta.message_create_params.MessageCreateParamsNonStreaming),
}


def _gemini_spec() -> dict:
    """The request as the SDK sends it: its config's fields spread over body and config."""
    spec = TypeAdapter(
        tuple[
            gemini_types.Content,
            gemini_types.Tool,
            gemini_types.ToolConfig,
            gemini_types.GenerationConfig,
            gemini_types.SafetySetting,
            gemini_types.ModelArmorConfig,
        ]
    ).json_schema(by_alias=True)

    def ref(name):
        return {"$ref": f"#/$defs/{name}"}

    spec["root"] = {
        "properties": {
            "contents": {"type": "array", "items": ref("Content")},
            "tools": {"type": "array", "items": ref("Tool")},
            "toolConfig": ref("ToolConfig"),
            "generationConfig": ref("GenerationConfig"),
            "safetySettings": {"type": "array", "items": ref("SafetySetting")},
            "cachedContent": {"type": "string"},
            "modelArmorConfig": ref("ModelArmorConfig"),
            "continuationToken": {"type": "string"},
            "store": {"type": "boolean"},
        }
    }
    return spec


SURFACES = [
    Surface.CHAT,
    Surface.RESPONSES,
    Surface.EMBEDDINGS,
    Surface.IMAGES,
    Surface.IMAGE_EDITS,
    Surface.SPEECH,
    Surface.MODERATIONS,
    Surface.MESSAGES,
    Surface.GENERATE,
]


def outcome(surface: Surface, body) -> Code | None:
    try:
        calls.decode(surface, body)
    except RelayError as error:
        return error.code
    return None


@pytest.mark.parametrize("surface", SURFACES)
def test_every_id_bearing_field_is_refused_or_known_to_be_harmless(surface):
    open_fields = {
        name
        for name, bodies in fields_of(surface).items()
        if any(outcome(surface, body) not in REFUSING for body in bodies)
    }
    listed = {name for of, name in HARMLESS if of is surface}
    assert open_fields == listed


# The handles that wire.md names, each with a request that must be refused.
NAMED = [
    (Surface.RESPONSES, {"previous_response_id": "resp_1"}),
    (Surface.RESPONSES, {"conversation": {"id": "conv_1"}}),
    (Surface.RESPONSES, {"conversation": "conv_1"}),
    (Surface.RESPONSES, {"input": [{"type": "item_reference", "id": "msg_1"}]}),
    (Surface.RESPONSES, {"input": [{"id": "msg_1"}]}),
    (Surface.RESPONSES, {"prompt": {"id": "pmpt_1"}}),
    (Surface.RESPONSES, {"background": True}),
    (Surface.RESPONSES, {"store": True}),
    (Surface.RESPONSES, {"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]}),
    (Surface.RESPONSES, {"input": [{"type": "image_generation_call", "id": "ig_1"}]}),
    (
        Surface.RESPONSES,
        {
            "input": [
                {"role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]},
            ]
        },
    ),
    (Surface.RESPONSES, {"input": [{"type": "brand_new", "deep": [{"file_id": "file-1"}]}]}),
    (
        Surface.CHAT,
        {
            "messages": [
                {"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}
            ]
        },
    ),
    (Surface.CHAT, {"messages": [{"role": "assistant", "audio": {"id": "audio_1"}}]}),
    (
        Surface.CHAT,
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": "gs://bucket/x.png"}}],
                }
            ]
        },
    ),
    (Surface.MESSAGES, {"container": "container_1"}),
    (Surface.MESSAGES, {"container": {"skills": [{"skill_id": "pptx"}]}}),
    (
        Surface.MESSAGES,
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "document", "source": {"type": "file", "file_id": "file_1"}}
                    ],
                }
            ]
        },
    ),
    (
        Surface.MESSAGES,
        {
            "messages": [
                {"role": "user", "content": [{"type": "container_upload", "file_id": "file_1"}]}
            ]
        },
    ),
    (Surface.GENERATE, {"cachedContent": "cachedContents/1"}),
    (Surface.GENERATE, {"cached_content": "cachedContents/1"}),
    *(
        (Surface.GENERATE, {"contents": [{"parts": [{key: {uri_key: uri}}]}]})
        for key, uri_key in (("fileData", "fileUri"), ("file_data", "file_uri"))
        for uri in (
            "files/abc",
            "gs://bucket/x.pdf",
            "https://bucket.storage.googleapis.com/x.pdf",
            "https://storage.cloud.google.com/bucket/x.pdf",
            "https://generativelanguage.googleapis.com/v1beta/files/abc",
            "HTTPS://generativelanguage.googleapis.com/files/abc",
        )
    ),
    (Surface.GENERATE, {"tools": [{"file_search": {"file_search_store_names": ["s"]}}]}),
    (Surface.GENERATE, {"tools": [{"retrieval": {"vertexRagStore": {}}}]}),
]


@pytest.mark.parametrize(("surface", "extra"), NAMED)
def test_the_handles_of_the_contract_are_refused(surface, extra):
    error = calls.refusal(surface, **extra)
    assert error.code is Code.VENDOR_HANDLE
    assert error.param


def test_names_inside_schemas_and_arguments_are_the_callers_own():
    schema = {"type": "object", "properties": {"file_id": {"type": "string"}, "container": {}}}
    calls.decode(
        Surface.CHAT,
        messages=[
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "1", "type": "function", "function": {"arguments": '{"file_id":"x"}'}}
                ],
            }
        ],
        tools=[{"type": "function", "function": {"name": "f", "parameters": schema}}],
    )
    calls.decode(
        Surface.MESSAGES,
        tools=[{"name": "f", "input_schema": schema}],
        messages=[
            {
                "role": "assistant",
                "content": [
                    {"type": "tool_use", "id": "1", "name": "f", "input": {"file_id": "x"}}
                ],
            },
            {"role": "user", "content": "file_id container cachedContent"},
        ],
    )
    calls.decode(
        Surface.GENERATE,
        contents=[{"parts": [{"functionCall": {"name": "f", "args": {"cachedContent": "x"}}}]}],
        tools=[{"functionDeclarations": [{"name": "f", "parametersJsonSchema": schema}]}],
    )
