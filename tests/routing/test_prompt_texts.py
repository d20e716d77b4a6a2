"""What is gathered of a prompt: every text of it, nothing else, whatever the protocol."""

import re
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing import prompt_texts, tokenizer
from routing.prompt_texts import AUDIO_TOKENS, DOCUMENT_TOKENS, FRAMINGS, IMAGE_TOKENS, VIDEO_TOKENS
from routing.surfaces import Family, Surface
from tests.routing.dialects import recordings

ANTHROPIC, RESPONSES, GEMINI = Surface.COUNT_TOKENS, Surface.INPUT_TOKENS, Surface.GEMINI_COUNT
BLOB = "QUJD" * 5_000
SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "description": "Where"}}}
SCHEMA_TEXT = '{"type":"object","properties":{"city":{"type":"string","description":"Where"}}}'
URL = f"data:image/png;base64,{BLOB}"


def everything(surface):
    """A request with one of each thing that a model reads, in the protocol's own words."""
    if surface is ANTHROPIC:
        return {
            "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "x"}}],
            "messages": [
                {"role": "user", "content": "Weather?"},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "Look it up.", "signature": BLOB},
                    {"type": "redacted_thinking", "data": BLOB},
                    {"type": "tool_use", "id": "t_1", "name": "look", "input": {"city": "Rome"}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "t_1", "content": [
                        {"type": "text", "text": "Sunny."},
                        {"type": "image",
                         "source": {"type": "base64", "media_type": "image/png", "data": BLOB}},
                    ]},
                ]},
            ],
            "tools": [{"name": "look", "description": "Looks.", "input_schema": SCHEMA}],
            "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
        }  # fmt: skip
    if surface is RESPONSES:
        return {
            "instructions": "Be brief.",
            "input": [
                {"role": "user", "content": "Weather?"},
                {"type": "reasoning", "id": "rs_1", "encrypted_content": BLOB,
                 "summary": [{"type": "summary_text", "text": "Look it up."}]},
                {"type": "function_call", "call_id": "call_1", "name": "look",
                 "arguments": '{"city":"Rome"}'},
                {"type": "function_call_output", "call_id": "call_1", "output": [
                    {"type": "input_text", "text": "Sunny."},
                    {"type": "input_image", "image_url": URL, "detail": "high"},
                ]},
            ],
            "tools": [{"type": "function", "name": "look", "description": "Looks.",
                       "parameters": SCHEMA, "strict": True}],
            "text": {"format": {"type": "json_schema", "name": "w", "schema": SCHEMA}},
        }  # fmt: skip
    return {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Weather?"}]},
            {"role": "model", "parts": [
                {"text": "Look it up.", "thought": True},
                {"functionCall": {"name": "look", "args": {"city": "Rome"}},
                 "thoughtSignature": BLOB},
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"name": "", "response": {}, "parts": [{"text": "Sunny."}]}},
                {"inlineData": {"mimeType": "image/png", "data": BLOB}},
            ]},
        ],
        "tools": [{"functionDeclarations": [
            {"name": "look", "description": "Looks.", "parametersJsonSchema": SCHEMA}]}],
        "generationConfig": {"responseJsonSchema": SCHEMA},
    }  # fmt: skip


@pytest.mark.parametrize("surface", [ANTHROPIC, RESPONSES, GEMINI])
def test_every_text_is_gathered_once_and_nothing_else(surface):
    prompt = prompt_texts.of(surface, everything(surface))
    assert sorted(prompt.texts) == sorted(
        ["Be brief.", "Weather?", "Look it up.", "look", '{"city":"Rome"}', "Sunny.",
         "look", "Looks.", SCHEMA_TEXT]
    )  # fmt: skip
    assert len(prompt.schemas) == 1
    assert SCHEMA_TEXT in prompt.schemas[0]
    assert prompt.other_tokens == IMAGE_TOKENS
    assert prompt.tools == 1
    assert prompt.messages == (5 if surface is RESPONSES else 4)


def test_both_spellings_of_gemini_are_read():
    body = {
        "system_instruction": {"parts": [{"text": "a"}]},
        "contents": [{"parts": [{"inline_data": {"mime_type": "audio/mp3", "data": BLOB}}]}],
        "tools": [{"function_declarations": [{"name": "b"}, {"name": "c"}]}],
        "generation_config": {"response_schema": SCHEMA},
    }
    prompt = prompt_texts.of(GEMINI, body)
    assert prompt.texts == ("a", "b", "c")
    assert (prompt.tools, prompt.other_tokens, len(prompt.schemas)) == (2, AUDIO_TOKENS, 1)
    assert prompt_texts.of(GEMINI, {"generate_content_request": body}) == prompt


def in_message(surface, part):
    if surface is GEMINI:
        return {"contents": [{"parts": [part]}]}
    name = "messages" if surface is ANTHROPIC else "input"
    return {name: [{"role": "user", "content": [part]}]}


@pytest.mark.parametrize(
    ("surface", "part", "tokens", "texts"),
    [
        (ANTHROPIC, {"type": "document", "title": "T", "source": {
            "type": "base64", "media_type": "application/pdf", "data": BLOB}},
         DOCUMENT_TOKENS, ("T",)),
        (ANTHROPIC, {"type": "document", "source": {
            "type": "text", "media_type": "text/plain", "data": "Plain."}}, 0, ("Plain.",)),
        (ANTHROPIC, {"type": "image", "source": {"type": "url", "url": "https://x.example/i"}},
         IMAGE_TOKENS, ()),
        (RESPONSES, {"type": "input_file", "filename": "a.pdf", "file_data": URL},
         DOCUMENT_TOKENS, ("a.pdf",)),
        (RESPONSES, {"type": "input_audio", "input_audio": {"data": BLOB, "format": "wav"}},
         AUDIO_TOKENS, ()),
        (GEMINI, {"inlineData": {"mimeType": "video/mp4", "data": BLOB}}, VIDEO_TOKENS, ()),
        (GEMINI, {"fileData": {"fileUri": "https://x.example/f"}}, DOCUMENT_TOKENS, ()),
        (GEMINI, {"inlineData": {"mimeType": "text/plain", "data": BLOB}}, 3_750, ()),
    ],
)  # fmt: skip
def test_what_is_no_text_has_its_allowance(surface, part, tokens, texts):
    prompt = prompt_texts.of(surface, in_message(surface, part))
    assert prompt.other_tokens == tokens
    assert prompt.texts == texts


@pytest.mark.parametrize("family", list(Family))
@pytest.mark.parametrize("surface", [ANTHROPIC, RESPONSES, GEMINI])
def test_the_smallest_prompt_is_not_nothing(surface, family):
    texts, others = prompt_texts.of(surface, {}).read_by(family)
    assert texts == ()
    assert others >= 1


def test_a_family_that_does_not_read_schemas_is_not_charged_for_them():
    prompt = prompt_texts.of(GEMINI, everything(GEMINI))
    assert set(prompt.read_by(Family.OPENAI)[0]) > set(prompt.texts) - set(prompt.schemas)
    assert prompt.read_by(Family.OPENAI)[0] == prompt.texts + prompt.schemas
    assert prompt.read_by(Family.GEMINI)[0] == prompt.texts


@pytest.mark.parametrize(
    ("surface", "body", "texts", "tokens"),
    [
        (Surface.EMBEDDINGS, {"input": "one"}, ("one",), 0),
        (Surface.EMBEDDINGS, {"input": ["one", "two"]}, ("one", "two"), 0),
        (Surface.EMBEDDINGS, {"input": [1, 2, 3]}, (), 3),
        (Surface.EMBEDDINGS, {"input": [[1, 2], [3]]}, (), 3),
        (Surface.GEMINI_EMBED, {"content": {"parts": [{"text": "one"}]}, "title": "t"},
         ("one", "t"), 0),
        (Surface.GEMINI_BATCH_EMBED, {"requests": [
            {"model": "m", "content": {"parts": [{"text": "one"}]}},
            {"content": {"parts": {"text": "two"}}}]}, ("one", "two"), 0),
    ],
)  # fmt: skip
def test_what_is_embedded_is_gathered_without_framing(surface, body, texts, tokens):
    prompt = prompt_texts.of(surface, body)
    assert (prompt.texts, prompt.other_tokens, prompt.messages) == (texts, tokens, 0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["type", "text", "content", "parts", "source", "input", "data", "tools",
                         "format", "inlineData", "name", "arguments", "output", "x"]),
        inner, max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


@given(JSON, st.sampled_from([ANTHROPIC, RESPONSES, GEMINI]))
def test_whatever_stands_in_a_message_is_gathered_without_an_error(value, surface):
    body = in_message(surface, value)
    body |= {"tools": [{"name": "n", "x": value}], "text": value, "output_config": value,
             "generationConfig": value, "instructions": value, "system": value}  # fmt: skip
    prompt = prompt_texts.of(surface, body)
    assert all(isinstance(text, str) and text for text in prompt.texts + prompt.schemas)
    assert prompt.read_by(Family.OPENAI)[1] >= 1


@given(st.text(min_size=1), st.text(min_size=1), st.sampled_from([ANTHROPIC, RESPONSES, GEMINI]))
def test_more_text_is_never_fewer_texts(one, other, surface):
    part = {"text": one} if surface is GEMINI else {"type": "text", "text": one}
    body = in_message(surface, part)
    before = prompt_texts.of(surface, body)
    for key in ("messages", "input", "contents"):
        if key in body:
            body[key] = body[key] + in_message(surface, {**part, "text": other})[key]
    after = prompt_texts.of(surface, body)
    assert after.texts == (*before.texts, other)
    assert after.messages == before.messages + 1


@given(st.binary(max_size=200).map(bytes.hex), st.sampled_from([ANTHROPIC, RESPONSES, GEMINI]))
def test_the_size_of_an_image_changes_nothing(data, surface):
    part = {
        ANTHROPIC: {"type": "image", "source": {"type": "base64", "data": data}},
        RESPONSES: {"type": "input_image", "image_url": f"data:image/png;base64,{data}"},
        GEMINI: {"inlineData": {"mimeType": "image/png", "data": data}},
    }[surface]
    prompt = prompt_texts.of(surface, in_message(surface, part))
    assert prompt.texts == ()
    assert prompt.other_tokens == IMAGE_TOKENS


RECORDED = {
    ("anthropic", "anthropic-messages"): (ANTHROPIC, Family.ANTHROPIC, r'"input_tokens": ?(\d+)'),
    ("openai", "openai-responses"): (RESPONSES, Family.OPENAI, r'"input_tokens": ?(\d+)'),
    ("google", "gemini"): (GEMINI, Family.GEMINI, r'"promptTokenCount": ?(\d+)'),
}
HIDDEN = {"vision", "audio_in", "video_in", "document", "web_search", "builtin_tool",
          "stored_state", "image_out", "cache_read", "cache_write"}  # fmt: skip


@pytest.mark.parametrize("whose", RECORDED, ids=[f"{v}-{p}" for v, p in RECORDED])
def test_estimates_are_near_what_vendors_counted(whose):
    surface, family, pattern = RECORDED[whose]
    ratios = []
    for case in recordings.cases():
        is_text = not HIDDEN & set(case["features"]) and case["response"]["status"] == 200
        told = [int(n) for n in re.findall(pattern, case["response"]["body"])]
        if (case["vendor"], case["protocol"]) != whose or not is_text or not any(told):
            continue
        texts, others = prompt_texts.of(surface, case["request"]["body"]).read_by(family)
        ratios.append((sum(map(tokenizer.count, texts)) + others) / max(told))
    assert len(ratios) > 50
    assert 0.8 < statistics.median(ratios) < 1.2
    within = sum(0.5 < ratio < 1.5 for ratio in ratios) / len(ratios)
    assert within > 0.75, within


def test_every_family_has_its_framing():
    assert set(FRAMINGS) == set(Family)
