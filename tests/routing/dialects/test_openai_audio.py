import json

import pytest

from billing.usage import UnitClass
from routing.dialects import openai_audio
from routing.errors import Code
from routing.surfaces import Surface
from tests.routing.dialects import calls
from tests.routing.test_audio_length import wav

SPEECH, TRANSCRIPTIONS, TRANSLATIONS = (
    Surface.SPEECH, Surface.TRANSCRIPTIONS, Surface.TRANSLATIONS,
)  # fmt: skip
FORM = (("model", "m"), ("file", wav(3)))


def test_speech_is_counted_by_its_characters():
    inbound = calls.decode(SPEECH, input="naïve 😀")
    assert inbound.content.measures == {UnitClass.CHARACTERS: 7}
    demand = openai_audio.demand(inbound)
    assert demand.measures == {UnitClass.CHARACTERS: 8}  # as JavaScript counts
    assert demand.output_tokens == 2_000 + 8 * 25
    assert calls.demand(SPEECH, input="x" * 100, speed=0.25).output_tokens == 2_000 + 10_000
    assert calls.demand(SPEECH, input="x" * 100, speed=4).output_tokens == 2_000 + 2_500
    assert not inbound.is_stream
    assert inbound.answer_format == "mp3"


def test_speech_streams_when_events_are_asked_for():
    inbound = calls.decode(SPEECH, stream_format="sse", response_format="pcm")
    assert inbound.is_stream
    assert inbound.answer_format == "pcm"
    assert not calls.decode(SPEECH, stream_format="audio").is_stream


@pytest.mark.parametrize(
    ("extra", "code", "param"),
    [
        ({"input": ""}, Code.MISSING_FIELD, "input"),
        ({"input": ["x"]}, Code.INVALID_TYPE, "input"),
        ({"instructions": 5}, Code.INVALID_TYPE, "instructions"),
        ({"speed": 5}, Code.INVALID_VALUE, "speed"),
        ({"speed": 0}, Code.INVALID_VALUE, "speed"),
        ({"speed": "1"}, Code.INVALID_TYPE, "speed"),
        ({"voice": {"id": "voice_1"}}, Code.VENDOR_HANDLE, "voice.id"),
    ],
)
def test_wrong_speech_is_refused(extra, code, param):
    error = calls.refusal(SPEECH, **extra)
    assert (error.code, error.param) == (code, param)


def test_a_sound_is_measured_and_bounded_with_a_margin():
    inbound = calls.decode_form(TRANSCRIPTIONS, *FORM, ("prompt", "names"))
    demand = openai_audio.demand(inbound)
    assert inbound.content.measures == {UnitClass.AUDIO_DURATION: 3_000}
    assert demand.measures == {UnitClass.AUDIO_DURATION: 53_000}
    assert demand.media_tokens == 54 * 50
    assert demand.output_tokens == 1_000 + 54 * 50
    assert demand.prompt_bytes < 50
    assert not demand.has_limit


def test_what_a_form_asks_for_is_read():
    inbound = calls.decode_form(
        TRANSCRIPTIONS, *FORM, ("response_format", "srt"), ("stream", "false"),
        ("timestamp_granularities[]", "word"), ("timestamp_granularities[]", "segment"),
    )  # fmt: skip
    assert inbound.answer_format == "srt"
    assert not inbound.is_stream
    assert calls.decode_form(TRANSCRIPTIONS, *FORM, ("stream", "true")).is_stream


@pytest.mark.parametrize(
    ("parts", "code", "param"),
    [
        ((("model", "m"),), Code.MISSING_FIELD, "file"),
        ((("file", wav(1)),), Code.MISSING_FIELD, "model"),
        ((("model", "m"), ("file", "text")), Code.INVALID_TYPE, "file"),
        ((*FORM, ("file", wav(1))), Code.DUPLICATE_KEY, "file"),
        ((("model", "m"), ("url", "https://example.com/a.wav")), Code.UNBOUNDED, "url"),
        ((*FORM, ("file_url", "https://example.com/a.wav")), Code.UNBOUNDED, "file_url"),
        ((*FORM, ("file_id", "file-1")), Code.VENDOR_HANDLE, "file_id"),
        ((("model", wav(1)), ("file", wav(1))), Code.MISSING_FIELD, "model"),
    ],
)
def test_a_wrong_form_is_refused(parts, code, param):
    error = calls.form_refusal(TRANSCRIPTIONS, *parts)
    assert (error.code, error.param) == (code, param)


def test_the_model_is_the_only_edit():
    outbound = calls.encode(
        calls.decode_form(TRANSLATIONS, *FORM), tag="t", account_field="safety_identifier"
    )
    assert outbound.path == "audio/translations"
    assert outbound.body == calls.form(("model", "up"), FORM[1])
    spoken = calls.encode(calls.decode(SPEECH), tag="t", account_field="safety_identifier")
    assert spoken.path == "audio/speech"
    assert json.loads(spoken.body) == {"model": "up", "input": "Hi", "voice": "alloy"}
