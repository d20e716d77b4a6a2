"""The official SDKs with models that one wire format alone reaches: the same contract.

Where a promise is the vendor's own and not the protocol's, the expectation here says what crosses.
"""

import json

import openai
import pytest

from bananarouter import seed
from tests import sdk_contract

pytestmark = pytest.mark.process

WIRES = ("chat", "responses", "messages", "gemini")


@pytest.fixture(scope="module", params=WIRES)
def wire(request):
    return request.param


@pytest.fixture(scope="module")
def fast_models(running, tmp_path_factory):
    """The demo's reasoners have twins that do not reason, on channels of one wire format each."""
    said = running.manage("shell", "-v", "0", "-c", DEMO_ADDRESS).stdout
    port = int(said.strip().rpartition(":")[2])
    channels = [
        {
            "name": f"twin-{wire}", "vendor": "demo", "base_url": f"http://127.0.0.1:{port}{path}",
            "protocol": protocol, "api_key": "demo", "priority": 90,
            "models": [
                {"name": f"demo/fast-{wire}", "upstream_name": "demo-fast",
                 "prices": seed.CHAT_PRICES, "quirks": {"speaks_responses": wire != "chat"},
                 "context_tokens_max": 100_000, "output_tokens_max": 10_000}
            ],
        }
        for wire in WIRES for protocol, path, _ in [seed.CHANNELS[f"demo-only-{wire}"]]
    ]  # fmt: skip
    file = tmp_path_factory.mktemp("twins") / "channels.json"
    file.write_text(json.dumps({"channels": channels}))
    running.manage("import_channels", str(file))
    running.wait_for_model(running.key, channels[-1]["models"][-1]["name"])


DEMO_ADDRESS = (
    "from urllib.parse import urlsplit; from routing.models import Channel; "
    "print(urlsplit(Channel.objects.get(name='demo-only-chat').base_url).netloc)"
)


@pytest.fixture(scope="module")
def place(running, wire, fast_models):
    return sdk_contract.Place(
        url=running.url, key=running.key, fast=f"demo/fast-{wire}", reasoner=f"demo/only-{wire}",
        embed="demo/embed",
    )  # fmt: skip


class TestOpenAI(sdk_contract.OpenAI):
    def test_chat_streams(self, sdk, place, wire):
        if wire in {"chat", "responses"}:
            super().test_chat_streams(sdk, place)
            return
        messages = [{"role": "user", "content": "demo: tokens=40 pace=0"}]
        whole = sdk.chat.completions.create(model=place.fast, messages=messages)
        chunks = list(sdk.chat.completions.create(
            model=place.fast, messages=messages, stream=True,
            stream_options={"include_usage": True},
        ))  # fmt: skip
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        assert text == whole.choices[0].message.content
        assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
        assert chunks[-1].usage == whole.usage
        assert chunks[-1].usage.completion_tokens == 40
        # These vendors send several tokens in one event, and so do we.
        assert len(chunks) > 40 / EVENT_TOKENS[wire]

    def test_responses_answer_whole_and_streamed_alike(self, sdk, place, wire):
        if wire != "messages":
            super().test_responses_answer_whole_and_streamed_alike(sdk, place)
            return
        # Anthropic tells its reasoning, but not how much of the output it was.
        options = {"model": place.reasoner, "input": f"Hello {sdk_contract.QUICK}", "store": False}
        whole = sdk.responses.create(**options)
        assert [item.type for item in whole.output] == ["reasoning", "message"]
        assert whole.usage.output_tokens_details.reasoning_tokens == 0
        events = list(sdk.responses.create(**options, stream=True))
        text = "".join(e.delta for e in events if e.type == "response.output_text.delta")
        assert text == whole.output_text
        assert events[-1].type == "response.completed"
        assert events[-1].response.usage == whole.usage
        assert [e.sequence_number for e in events] == list(range(len(events)))

    def test_input_tokens_are_counted(self, sdk, place, wire):
        if wire == "responses":
            super().test_input_tokens_are_counted(sdk, place)
            return
        options = {"model": place.fast, "input": "How many tokens are these?"}
        counted = sdk.responses.input_tokens.with_raw_response.count(**options)
        answer = sdk.responses.create(**options, max_output_tokens=5, store=False)
        assert_estimates(counted, counted.parse().input_tokens, answer.usage.input_tokens)

    def test_a_conversation_is_compacted_and_goes_on(self, sdk, place, wire):
        if wire == "responses":
            super().test_a_conversation_is_compacted_and_goes_on(sdk, place)
            return
        with pytest.raises(openai.BadRequestError, match="cannot compact a conversation"):
            sdk.responses.compact(model=place.fast, input=[{"role": "user", "content": "x"}])


class TestAnthropic(sdk_contract.Anthropic):
    def test_messages_stream(self, sdk, place, wire):
        if wire == "messages":
            super().test_messages_stream(sdk, place)
            return
        # The other demo vendors think and tell how much, but not what.
        options = {"model": place.reasoner, "max_tokens": 500,
                   "messages": [{"role": "user", "content": sdk_contract.QUICK}]}  # fmt: skip
        whole = sdk.messages.create(**options)
        with sdk.messages.stream(**options) as stream:
            events = [event.type for event in stream]
            final = stream.get_final_message()
        assert (events[0], events[-1]) == ("message_start", "message_stop")
        assert [(b.type, b.text) for b in final.content] == [("text", whole.content[0].text)]
        assert final.usage.output_tokens == whole.usage.output_tokens
        assert whole.usage.output_tokens_details.thinking_tokens > 0

    def test_tokens_are_counted(self, sdk, place, wire):
        if wire == "messages":
            super().test_tokens_are_counted(sdk, place)
            return
        messages = [{"role": "user", "content": "How many tokens are these?"}]
        counted = sdk.messages.with_raw_response.count_tokens(model=place.fast, messages=messages)
        answer = sdk.messages.create(model=place.fast, max_tokens=5, messages=messages)
        assert_estimates(counted, counted.parse().input_tokens, answer.usage.input_tokens)


class TestGemini(sdk_contract.Gemini):
    def test_generate_answers_whole_and_streamed_alike(self, sdk, place, wire):
        if wire != "messages":
            super().test_generate_answers_whole_and_streamed_alike(sdk, place)
            return
        # Anthropic does not tell how much of the output was reasoning: no count is made up.
        options = {"model": place.reasoner, "contents": f"Hello {sdk_contract.QUICK}"}
        whole = sdk.models.generate_content(**options)
        assert "imulated" in whole.text
        usage = whole.usage_metadata
        assert usage.thoughts_token_count is None
        assert usage.total_token_count == usage.prompt_token_count + usage.candidates_token_count
        chunks = list(sdk.models.generate_content_stream(**options))
        assert "".join(chunk.text or "" for chunk in chunks) == whole.text
        assert chunks[-1].usage_metadata == usage

    def test_tokens_are_counted(self, sdk, place, wire):
        if wire == "gemini":
            super().test_tokens_are_counted(sdk, place)
            return
        words = "How many are these?"
        counted = sdk.models.count_tokens(model=place.fast, contents=words)
        answer = sdk.models.generate_content(
            model=place.fast, contents=words, config={"max_output_tokens": 2}
        )
        assert_estimates(
            counted.sdk_http_response, counted.total_tokens,
            answer.usage_metadata.prompt_token_count,
        )  # fmt: skip


# How many tokens the demo vendor sends in one event (bananarouter.demo_vendor).
EVENT_TOKENS = {"messages": 3, "gemini": 12}
# What a chat template adds to a short message is the vendor's own affair.
TEMPLATE_TOKENS_MAX = 8


def assert_estimates(answer, counted, charged):
    """A count for a vendor of another protocol is our estimate, and says so."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    assert headers["x-token-count"] == "estimate"
    assert abs(counted - charged) <= TEMPLATE_TOKENS_MAX
