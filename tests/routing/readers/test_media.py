"""Answers with images, sound, transcripts and judgments: what is read of them, and billed."""

import json

import pytest

from billing.pricing import Rate, RateCard
from billing.usage import Unit, UnitClass
from routing import metering, readers
from routing.conversation import FinishReason
from routing.dialects.base import Quirks
from routing.errors import Code
from routing.metering import Ending
from routing.readers.base import Expectation, Step
from routing.surfaces import Surface
from tests.routing.test_audio_length import mp3, wav

U = UnitClass
IMAGE_USAGE = {
    "input_tokens": 100, "output_tokens": 1_056, "total_tokens": 1_156,
    "input_tokens_details": {"text_tokens": 20, "image_tokens": 80},
}  # fmt: skip


def card(**prices):
    units = {U.AUDIO_DURATION: Unit.HOUR, U.CHARACTERS: Unit.MCHAR, U.IMAGE: Unit.REQUEST,
             U.SEARCH_UNIT: Unit.REQUEST}  # fmt: skip
    return RateCard.of(card_id=1, endpoint="e", rates=[
        Rate(unit_class=U(name), unit=units.get(U(name), Unit.MTOK), nusd_per_unit=nusd,
             vendor_nusd_per_unit=nusd)
        for name, nusd in prices.items()
    ])  # fmt: skip


def reader(surface, *, is_stream=False, **more):
    return readers.for_surface(surface, Expectation(is_stream=is_stream, quirks=Quirks(), **more))


def whole(surface, body, **more):
    one = reader(surface, **more)
    one.read_body(body if isinstance(body, bytes) else json.dumps(body).encode())
    return one


def stream(surface, *documents, **more):
    one = reader(surface, is_stream=True, **more)
    steps = [one.read_event(b"data: " + json.dumps(d).encode() + b"\n\n") for d in documents]
    one.end()
    return one, steps


def booked(one, own, *, prompt_bytes=40, hold=10**12, ending=Ending.WHOLE):
    verdict = metering.whole(
        reader=one, card=own, hold_nusd=hold, prompt_bytes=prompt_bytes,
        is_gone=ending is Ending.DRAINED,
    )  # fmt: skip
    return verdict.state, verdict.reason, verdict.cost_nusd


# Images


def test_images_are_told_in_tokens_and_in_number():
    one = whole(Surface.IMAGES, {"created": 1, "data": [{}, {}], "usage": IMAGE_USAGE})
    assert one.usage.quantities == {U.INPUT: 20, U.IMAGE_INPUT: 80, U.IMAGE_OUTPUT: 1_056}
    assert one.usage.measures == {U.IMAGE: 2}
    assert one.finish is FinishReason.STOP
    tokens = card(input=10**9, image_input=2 * 10**9, image_output=10**10)
    assert booked(one, tokens) == ("settled", "normal", 20_000 + 160_000 + 10_560_000)
    assert booked(one, card(image=5)) == ("settled", "normal", 10)


def test_text_that_comes_out_with_images_is_text():
    usage = {**IMAGE_USAGE, "output_tokens_details": {"text_tokens": 56, "image_tokens": 1_000}}
    one = whole(Surface.IMAGES, {"data": [{}], "usage": usage})
    assert one.usage.quantities[U.OUTPUT] == 56
    assert one.usage.quantities[U.IMAGE_OUTPUT] == 1_000


def test_images_without_usage_are_estimated_where_tokens_are_billed():
    one = whole(Surface.IMAGES, {"created": 1, "data": [{"url": "https://example.com/x"}] * 2})
    assert booked(one, card(image=5)) == ("settled", "normal", 10)
    state, reason, cost = booked(one, card(input=0, image_output=10**9))
    assert (state, reason, cost) == ("estimated", "no_usage", 2 * 1_056_000)


@pytest.mark.parametrize("body", [{}, {"data": []}, {"data": None}, {"error": {"message": "no"}}])
def test_an_answer_without_images_is_none(body):
    one = whole(Surface.IMAGES, body)
    assert one.error is not None
    assert booked(one, card(image=5)) == ("voided", "upstream_error", 0)


def test_partial_images_pass_and_the_last_complete_one_is_held():
    partial = {"type": "image_generation.partial_image", "b64_json": "AA", "partial_image_index": 0}
    done = {"type": "image_generation.completed", "b64_json": "AA", "usage": IMAGE_USAGE}
    one, steps = stream(Surface.IMAGES, partial, done, partial, done, choices=2)
    assert steps == [Step.PASS, Step.PASS, Step.PASS, Step.HOLD]
    assert one.usage.quantities[U.IMAGE_OUTPUT] == 2 * 1_056
    assert one.usage.measures == {U.IMAGE: 2}
    assert one.is_complete
    assert one.is_usage_final


def test_a_stream_that_ends_before_its_last_image_is_not_whole():
    done = {"type": "image_generation.completed", "b64_json": "AA", "usage": IMAGE_USAGE}
    one, _ = stream(Surface.IMAGES, done, choices=2)
    assert not one.is_complete
    assert one.finish is None
    verdict = metering.stream(
        ending=Ending.BROKEN, reader=one, delivered=metering.Delivered(prompt_bytes=0),
        card=card(image=5), hold_nusd=100,
    )  # fmt: skip
    assert (verdict.reason, verdict.goodwill_nusd) == ("goodwill", verdict.cost_nusd)


def test_an_error_in_a_stream_fails_it():
    told = {"message": "no", "type": "invalid_request_error", "code": "moderation_blocked"}
    error = {"type": "error", "error": told}
    one, steps = stream(Surface.IMAGES, error)
    assert steps == [Step.FAIL]
    assert one.error.code is Code.CONTENT_POLICY
    assert not one.has_output


def test_done_says_nothing_and_waits():
    one = reader(Surface.IMAGES, is_stream=True)
    assert one.read_event(b"data: [DONE]\n\n") is Step.HOLD
    one.end()
    assert not one.is_complete


# Speech


def test_speech_is_billed_by_the_characters_that_were_sent():
    one = whole(Surface.SPEECH, wav(1), measures={U.CHARACTERS: 12}, answer_format="wav")
    assert booked(one, card(characters=15_000_000_000)) == ("settled", "normal", 180_000)


def test_speech_is_estimated_by_its_length_where_tokens_are_billed():
    """A minute is 1,250 tokens; 60 s of MP3 are 2,297 frames."""
    own = card(input=10**9, audio_output=10**9)
    spoken = {"measures": {U.CHARACTERS: 12}, "answer_format": "mp3"}
    for body, form in ((mp3(2_297), "mp3"), (wav(60), "wav"), (bytes(48_000 * 60), "pcm")):
        one = whole(Surface.SPEECH, body, **{**spoken, "answer_format": form})
        assert one.take_text() == ""
        state, reason, cost = booked(one, own, prompt_bytes=0)
        assert (state, reason) == ("estimated", "no_usage")
        assert 1_250_000 <= cost <= 1_252_000, form


@pytest.mark.parametrize("body", [b"", b'{"error": {"message": "no"}}', b"{}", b"<html>502"])
def test_what_is_no_sound_costs_nothing(body):
    one = whole(Surface.SPEECH, body, measures={U.CHARACTERS: 12})
    assert one.error is not None
    assert booked(one, card(characters=10**9)) == ("voided", "upstream_error", 0)


def test_speech_events_end_with_their_usage():
    one, steps = stream(
        Surface.SPEECH,
        {"type": "speech.audio.delta", "audio": "AA"},
        {"type": "speech.audio.done", "usage": {"input_tokens": 5, "output_tokens": 50}},
        measures={U.CHARACTERS: 12},
    )
    assert steps == [Step.PASS, Step.HOLD]
    assert one.usage.quantities == {U.INPUT: 5, U.AUDIO_OUTPUT: 50}
    assert booked(one, card(input=10**9, audio_output=10**9))[2] == 55_000
    assert booked(one, card(characters=10**9))[2] == 12_000


# Transcripts

HOUR = {"audio_duration": 3_600_000_000}  # one nano-dollar for a microsecond


@pytest.mark.parametrize(
    ("document", "ms"),
    [
        ({"text": "x", "usage": {"type": "duration", "seconds": 9}}, 9_000),
        ({"text": "x", "usage": {"type": "duration", "seconds": 8.2}}, 8_200),
        ({"text": "x", "duration": 8.470000267028809}, 8_470),
        ({"text": "x", "duration": "8.47"}, 8_470),
        ({"text": "x", "usage": {"prompt_audio_seconds": 4, "prompt_tokens": 3}}, 4_000),
    ],
)
def test_a_duration_is_billed_as_the_vendor_tells_it(document, ms):
    one = whole(Surface.TRANSCRIPTIONS, document, measures={U.AUDIO_DURATION: 7})
    assert one.usage.measures == {U.AUDIO_DURATION: ms}
    assert booked(one, card(**HOUR)) == ("settled", "normal", ms * 1_000)


@pytest.mark.parametrize(
    "document",
    [
        {"text": "x"},
        {"text": "x", "duration": "soon"},
        {"text": "x", "duration": -1},
        {"text": "x", "duration": 1e300},
        {"text": "x", "usage": {"seconds": True}},
        {"text": "x", "usage": {"input_tokens": 5, "output_tokens": 2}},
    ],
)
def test_a_duration_that_is_not_told_is_our_own_measure(document):
    one = whole(Surface.TRANSCRIPTIONS, document, measures={U.AUDIO_DURATION: 7_000})
    assert booked(one, card(**HOUR)) == ("estimated", "no_usage", 7_000_000)


TOKENS = {
    "type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59,
    "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
}  # fmt: skip


def test_transcript_tokens_are_split_into_text_and_sound():
    one = whole(Surface.TRANSCRIPTIONS, {"text": "x", "usage": TOKENS})
    assert one.usage.quantities == {U.INPUT: 4, U.AUDIO_INPUT: 10, U.OUTPUT: 45}
    assert json.loads(one.usage.raw)["input_token_details"] == {
        "text_tokens": 4, "audio_tokens": 10,
    }  # fmt: skip


def test_a_model_of_tokens_that_tells_a_duration_is_estimated():
    document = {"text": "one two three", "usage": {"type": "duration", "seconds": 60}}
    one = whole(Surface.TRANSCRIPTIONS, document, measures={U.AUDIO_DURATION: 60_000})
    own = card(input=10**9, audio_input=10**9, output=10**9)
    state, reason, cost = booked(one, own, prompt_bytes=0)
    assert (state, reason, cost) == ("estimated", "no_usage", (1_000 + 3) * 1_000)


def test_plain_transcripts_are_read_as_they_are():
    for form, body in (("text", b"Good day\n"), ("srt", b"1\n00:00\nhi\n"), ("vtt", b"WEBVTT\n")):
        one = whole(Surface.TRANSLATIONS, body, answer_format=form, measures={U.AUDIO_DURATION: 5})
        assert one.error is None
        assert one.finish is FinishReason.STOP
        assert one.take_text() == body.decode()
        assert booked(one, card(**HOUR)) == ("estimated", "no_usage", 5_000)


def test_silence_is_an_answer():
    one = whole(Surface.TRANSCRIPTIONS, b"", answer_format="text")
    assert one.error is None
    assert one.is_complete


@pytest.mark.parametrize("body", [b"", b"Good day", b"<html>", b"{}", b'{"error": {"code": 1}}'])
def test_json_that_was_asked_for_must_be_json(body):
    one = whole(Surface.TRANSCRIPTIONS, body)
    assert one.error is not None
    assert not one.has_output


def test_an_error_instead_of_plain_text_is_one():
    one = whole(Surface.TRANSCRIPTIONS, {"error": {"message": "no"}}, answer_format="text")
    assert one.error is not None


def test_transcript_events_are_text_once():
    one, steps = stream(
        Surface.TRANSCRIPTIONS,
        {"type": "transcript.text.delta", "delta": "Good "},
        {"type": "transcript.text.delta", "delta": "day"},
        {"type": "transcript.text.done", "text": "Good day", "usage": TOKENS},
    )
    assert steps == [Step.PASS, Step.PASS, Step.HOLD]
    assert one.take_text() == "Good day"
    assert one.usage.quantities[U.OUTPUT] == 45


# Judgments


def test_moderations_tell_tokens_or_nothing():
    told = whole(Surface.MODERATIONS, {"results": [{}], "usage": {"prompt_tokens": 7}})
    assert told.usage.quantities == {U.INPUT: 7}
    silent = whole(Surface.MODERATIONS, {"results": [{}]})
    assert silent.usage is None
    assert booked(silent, card(input=0))[2] == 0
    assert booked(silent, card(input=10**9))[2] == 10_000
    assert whole(Surface.MODERATIONS, {"id": "x"}).error is not None


@pytest.mark.parametrize(
    ("document", "tokens", "units"),
    [
        ({"results": [], "usage": {"total_tokens": 815}}, 815, None),  # Jina
        ({"data": [], "object": "list", "usage": {"total_tokens": 26}}, 26, None),  # Voyage
        ({"results": [], "meta": {"billed_units": {"search_units": 2}}}, 0, 2),  # Cohere
        ({"results": [], "usage": {"total_tokens": 150, "search_units": 1}}, 150, 1),  # OpenRouter
    ],
)
def test_rankings_tell_tokens_or_search_units(document, tokens, units):
    one = whole(Surface.RERANK, document, measures={U.SEARCH_UNIT: 3})
    assert one.usage.quantities.get(U.INPUT, 0) == tokens
    assert one.usage.measures.get(U.SEARCH_UNIT) == units
    by_unit = booked(one, card(search_unit=1_000))
    expected = (
        ("estimated", "no_usage", 3_000) if units is None else ("settled", "normal", units * 1_000)
    )
    assert by_unit == expected
    if tokens:
        assert booked(one, card(input=10**9)) == ("settled", "normal", tokens * 1_000)


def test_a_ranking_that_is_none_is_an_error():
    assert whole(Surface.RERANK, {"message": "invalid"}).error is not None
    assert whole(Surface.RERANK, {"results": "x"}).error is not None


def test_events_may_be_as_large_as_a_picture():
    assert reader(Surface.IMAGES).event_bytes_max > 32 << 20
    assert reader(Surface.CHAT).event_bytes_max == 4 << 20
