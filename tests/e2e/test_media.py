"""Images, sound, moderations and reranking by the official SDK, through a gateway to its bill."""

import base64
import io
import json
import math
import time
import urllib.request
import wave
from decimal import Decimal
from fractions import Fraction

import openai
import pytest
from openai.types import ImagesResponse

from tests.e2e.test_sdks import tell

pytestmark = pytest.mark.process
MARKUP = Fraction(105, 100)
PNG = b"\x89PNG\r\n\x1a\n"
# USD for one thing: of bananarouter/seed.py, divided by its unit.
USD = {
    "demo/image": {"text_in": Fraction(5, 10**6), "image_in": Fraction(10, 10**6),
                   "out": Fraction(40, 10**6)},
    "demo/picture": Fraction(40, 1000),
    "demo/voice": Fraction(15, 10**6),
    "demo/speaker": {"in": Fraction(6, 10**7), "out": Fraction(12, 10**6)},
    "demo/ears": Fraction(36, 100 * 3600),  # a second
    "demo/scribe": {"text_in": Fraction(25, 10**7), "audio_in": Fraction(6, 10**6),
                    "out": Fraction(10, 10**6)},
    "demo/rerank": Fraction(5, 10**8),
}  # fmt: skip


@pytest.fixture
def sdk(place):
    with place.openai() as client:
        yield client


@pytest.fixture
def bill(place):
    """Ask what an answer cost: its header, if it is whole, and the platform's own record."""

    def cost(headers) -> Fraction:
        for _ in range(200):
            told = tell(place, f"/api/v1/generation?id={headers['x-generation-id']}")
            if told is not None:
                break
            time.sleep(0.05)
        recorded = Fraction(Decimal(told["cost_usd"]))
        if "x-cost-usd" in headers:
            assert Fraction(Decimal(headers["x-cost-usd"])) == recorded
        return recorded

    return cost


def due(amount: Fraction) -> Fraction:
    """The price in USD: marked up, rounded up to a nano-dollar once."""
    return Fraction(math.ceil(amount * MARKUP * 10**9), 10**9)


def sound(seconds=3.2, rate=16_000) -> bytes:
    packed = io.BytesIO()
    with wave.open(packed, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(bytes(int(seconds * rate) * 2))
    return packed.getvalue()


def post(place, path, body):
    """Send JSON where the SDK has no method; return headers and body."""
    request = urllib.request.Request(  # noqa: S310 - loopback
        place.url + path, json.dumps(body).encode(),
        {"authorization": f"Bearer {place.key}", "content-type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return {k.lower(): v for k, v in answer.headers.items()}, json.load(answer)


def image_due(usage) -> Fraction:
    prices, inside = USD["demo/image"], usage.input_tokens_details
    return due(
        inside.text_tokens * prices["text_in"]
        + inside.image_tokens * prices["image_in"]
        + usage.output_tokens * prices["out"]
    )


def test_images_are_generated_and_paid_by_their_tokens(sdk, bill):
    got = sdk.images.with_raw_response.generate(model="demo/image", prompt="a cat", n=2)
    answer = got.parse()
    pictures = [base64.b64decode(item.b64_json) for item in answer.data]
    assert [picture[:8] for picture in pictures] == [PNG, PNG]
    assert pictures[0] != pictures[1]
    assert b"imulated" in pictures[0]
    assert answer.usage.output_tokens == 2 * 1056
    assert bill(got.headers) == image_due(answer.usage)


def test_images_are_paid_each_where_the_card_says_so(sdk, bill):
    got = sdk.images.with_raw_response.generate(model="demo/picture", prompt="a cat", n=3)
    assert len(got.parse().data) == 3
    assert bill(got.headers) == due(3 * USD["demo/picture"])


def test_images_stream_partial_ones_first(sdk, bill):
    with sdk.images.with_streaming_response.generate(
        model="demo/image", prompt="a cat", stream=True, partial_images=2
    ) as got:
        events = list(got.parse())
    assert [event.type for event in events] == [
        *["image_generation.partial_image"] * 2, "image_generation.completed",
    ]  # fmt: skip
    assert [event.partial_image_index for event in events[:2]] == [0, 1]
    assert events[-1].usage.output_tokens == 1056 + 2 * 100
    assert "x-cost-usd" not in got.headers
    assert bill(got.headers) == image_due(events[-1].usage)


@pytest.mark.parametrize("count", [1, 2])
def test_images_are_edited_from_a_form(sdk, bill, count):
    picture = sdk.images.generate(model="demo/picture", prompt="base").data[0].b64_json
    file = ("a.png", base64.b64decode(picture), "image/png")
    got = sdk.images.with_raw_response.edit(
        model="demo/image", prompt="add a hat", image=[file] * count if count > 1 else file
    )
    usage = got.parse().usage
    assert usage.input_tokens_details.image_tokens == count * 323
    assert bill(got.headers) == image_due(usage)


def test_image_edits_stream(sdk, bill):
    file = ("a.png", PNG, "image/png")
    with sdk.images.with_streaming_response.edit(
        model="demo/image", prompt="add a hat", image=file, mask=file, stream=True, partial_images=1
    ) as got:
        events = list(got.parse())
    assert [event.type for event in events] == ["image_edit.partial_image", "image_edit.completed"]
    assert bill(got.headers) == image_due(events[-1].usage)


def test_image_edits_take_json(place, bill):
    link = "data:image/png;base64," + base64.b64encode(PNG).decode()
    body = {"model": "demo/image", "prompt": "a hat", "images": [{"image_url": link}] * 2}
    headers, answer = post(place, "/v1/images/edits", body)
    usage = ImagesResponse.model_validate(answer).usage
    assert usage.input_tokens_details.image_tokens == 2 * 323
    assert bill(headers) == image_due(usage)


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
def test_images_are_varied(sdk, bill):
    got = sdk.images.with_raw_response.create_variation(
        model="demo/picture", image=("a.png", PNG, "image/png"), n=2
    )
    assert len(got.parse().data) == 2
    assert bill(got.headers) == due(2 * USD["demo/picture"])


def test_speech_is_sound_byte_for_byte_and_paid_by_the_character(sdk, bill):
    words = "Good day, naïve 世界!"
    got = sdk.audio.speech.with_raw_response.create(
        model="demo/voice", voice="alloy", input=words, response_format="wav"
    )
    assert got.headers["content-type"] == "audio/wav"
    with wave.open(io.BytesIO(got.content)) as file:
        assert file.getframerate() == 24_000
    assert bill(got.headers) == due(len(words) * USD["demo/voice"])


def test_speech_streams_events_with_their_usage(sdk, bill):
    with sdk.audio.speech.with_streaming_response.create(
        model="demo/speaker", voice="alloy", input="Good day to you", stream_format="sse"
    ) as got:
        lines = [line for line in got.iter_lines() if line.startswith("data: ")]
    events = [json.loads(line[6:]) for line in lines]
    assert {event["type"] for event in events[:-1]} == {"speech.audio.delta"}
    assert events[-1]["type"] == "speech.audio.done"
    usage, prices = events[-1]["usage"], USD["demo/speaker"]
    assert bill(got.headers) == due(
        usage["input_tokens"] * prices["in"] + usage["output_tokens"] * prices["out"]
    )


@pytest.mark.parametrize("form", ["wav", "pcm"])
def test_speech_that_tells_no_usage_is_paid_by_the_length_of_its_sound(sdk, bill, form):
    got = sdk.audio.speech.with_raw_response.create(
        model="demo/speaker", voice="alloy", input="x" * 144, response_format=form
    )
    seconds = Fraction(144, 15)
    written = int(seconds * 1250 / 60) * USD["demo/speaker"]["out"]
    paid = bill(got.headers)
    assert due(written) < paid < due(written + 200 * USD["demo/speaker"]["in"])


def test_transcriptions_are_paid_by_the_second(sdk, bill):
    got = sdk.audio.transcriptions.with_raw_response.create(
        model="demo/ears", file=("a.wav", sound(), "audio/wav")
    )
    answer = got.parse()
    assert "imulated" in answer.text
    assert answer.usage.seconds == 4
    assert bill(got.headers) == due(4 * USD["demo/ears"])


@pytest.mark.parametrize("form", ["text", "srt", "vtt"])
def test_transcripts_that_tell_no_duration_are_paid_by_our_own_measure(sdk, bill, form):
    got = sdk.audio.transcriptions.with_raw_response.create(
        model="demo/ears", file=("a.wav", sound(2.5), "audio/wav"), response_format=form
    )
    assert "imulated" in got.text
    assert got.headers["content-type"].startswith("text/plain")
    assert bill(got.headers) == due(Fraction(5, 2) * USD["demo/ears"])


def test_verbose_transcripts_tell_their_duration(sdk, bill):
    got = sdk.audio.transcriptions.with_raw_response.create(
        model="demo/ears", file=("a.wav", sound(2.5), "audio/wav"), response_format="verbose_json",
        timestamp_granularities=["segment", "word"],
    )  # fmt: skip
    assert got.parse().duration == 2.5
    assert bill(got.headers) == due(3 * USD["demo/ears"])  # as usage tells it, which is the bill


def scribe_due(usage) -> Fraction:
    prices, inside = USD["demo/scribe"], usage.input_token_details
    return due(
        inside.text_tokens * prices["text_in"]
        + inside.audio_tokens * prices["audio_in"]
        + usage.output_tokens * prices["out"]
    )


def test_transcriptions_are_paid_by_their_tokens(sdk, bill):
    got = sdk.audio.transcriptions.with_raw_response.create(
        model="demo/scribe", file=("a.wav", sound(), "audio/wav"), prompt="names: Ann"
    )
    assert bill(got.headers) == scribe_due(got.parse().usage)


def test_transcriptions_stream(sdk, bill):
    with sdk.audio.transcriptions.with_streaming_response.create(
        model="demo/scribe", file=("a.wav", sound(), "audio/wav"), stream=True
    ) as got:
        events = list(got.parse())
    assert "".join(event.delta for event in events[:-1]) == events[-1].text
    assert events[-1].type == "transcript.text.done"
    assert bill(got.headers) == scribe_due(events[-1].usage)


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_model_that_does_not_stream_answers_whole(place, form, bill):
    with place.openai() as client:
        got = client.audio.transcriptions.with_raw_response.create(
            model="demo/ears", file=("a.wav", sound(1), "audio/wav"), response_format=form,
            extra_body={"stream": True},
        )  # fmt: skip
    assert "imulated" in got.text
    assert bill(got.headers) == due(USD["demo/ears"])


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
def test_translations_are_paid_by_the_second(sdk, bill):
    got = sdk.audio.translations.with_raw_response.create(
        model="demo/ears", file=("a.wav", sound(1), "audio/wav")
    )
    assert "imulated" in got.parse().text
    assert bill(got.headers) == due(USD["demo/ears"])


def test_moderations_judge_and_cost_nothing_where_nothing_is_stated(sdk, bill):
    got = sdk.moderations.with_raw_response.create(
        model="demo/moderator", input=["I will hurt you", "Good day"]
    )
    answer = got.parse()
    assert [result.flagged for result in answer.results] == [True, False]
    assert answer.results[0].categories.violence
    assert bill(got.headers) == 0


def test_documents_are_ranked_and_paid_by_their_tokens(place, bill):
    documents = ["Berlin", "Paris is the capital of France"]
    body = {"model": "demo/rerank", "query": "capital of France", "documents": documents}
    headers, answer = post(place, "/v1/rerank", {**body, "top_n": 1})
    assert [row["index"] for row in answer["results"]] == [1]
    assert bill(headers) == due(answer["usage"]["total_tokens"] * USD["demo/rerank"])


def test_what_a_model_cannot_be_billed_for_is_refused(sdk):
    with pytest.raises(openai.BadRequestError, match="no price"):
        sdk.images.generate(model="demo/embed", prompt="a cat")
    with pytest.raises(openai.BadRequestError, match="no price"):
        sdk.chat.completions.create(model="demo/ears", messages=[{"role": "user", "content": "hi"}])


def test_errors_of_the_vendor_come_through_and_cost_nothing(sdk):
    with pytest.raises(openai.RateLimitError) as caught:
        sdk.images.generate(model="demo/image", prompt="demo: status=429")
    assert "x-cost-usd" not in caught.value.response.headers


def test_the_ledger_is_clean_after_all_this(served):
    assert served.manage("audit_ledger").returncode == 0
