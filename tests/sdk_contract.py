"""What the official SDKs must get, from the demo vendor directly and through the gateway alike."""

import json
from dataclasses import dataclass, field

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors as genai_errors

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
}
QUICK = "demo: pace=0"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where SDKs are pointed at: only base URL, key and model names differ."""

    url: str
    key: str = field(repr=False)
    fast: str
    reasoner: str
    embed: str

    def openai(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=self.key, max_retries=0)

    def anthropic(self) -> anthropic.Anthropic:
        return anthropic.Anthropic(base_url=self.url, api_key=self.key, max_retries=0)

    def gemini(self) -> genai.Client:
        return genai.Client(api_key=self.key, http_options={"base_url": self.url})


class OpenAI:
    """Chat completions, responses and embeddings by `openai`."""

    @pytest.fixture
    def sdk(self, place):
        with place.openai() as client:
            yield client

    def test_chat_answers_whole(self, sdk, place):
        answer = sdk.chat.completions.create(
            model=place.fast, messages=[{"role": "user", "content": f"Good day {QUICK}"}]
        )
        assert "imulated" in answer.choices[0].message.content
        assert answer.choices[0].finish_reason == "stop"
        usage = answer.usage
        assert usage.prompt_tokens > 5
        assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
        assert usage.completion_tokens_details.reasoning_tokens == 0

    def test_chat_streams(self, sdk, place):
        messages = [{"role": "user", "content": f"demo: tokens=40 pace=0 {QUICK}"}]
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
        assert len(chunks) > 40

    def test_chat_stream_has_no_usage_that_nobody_asked_for(self, sdk, place):
        chunks = list(sdk.chat.completions.create(
            model=place.fast, messages=[{"role": "user", "content": QUICK}], stream=True
        ))  # fmt: skip
        assert all(chunk.choices for chunk in chunks)
        assert all(chunk.usage is None for chunk in chunks)

    @pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
    def test_chat_honors_the_limit(self, sdk, place, name):
        answer = sdk.chat.completions.create(
            model=place.fast, messages=[{"role": "user", "content": QUICK}], **{name: 7}
        )
        assert answer.usage.completion_tokens == 7
        assert answer.choices[0].finish_reason == "length"

    def test_chat_runs_a_tool_loop(self, sdk, place):
        tool = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}
        messages = [{"role": "user", "content": f"What is the weather in Paris? {QUICK}"}]
        asked = sdk.chat.completions.create(model=place.fast, messages=messages, tools=[tool])
        assert asked.choices[0].finish_reason == "tool_calls"
        call = asked.choices[0].message.tool_calls[0]
        assert call.function.name == "get_weather"
        assert json.loads(call.function.arguments) == {"city": "Paris", "days": 1}
        messages += [
            asked.choices[0].message,
            {"role": "tool", "tool_call_id": call.id, "content": "Sunny, 21 degrees"},
        ]
        told = sdk.chat.completions.create(model=place.fast, messages=messages, tools=[tool])
        assert "Sunny, 21 degrees" in told.choices[0].message.content

    def test_chat_streams_a_tool_call(self, sdk, place):
        tool = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}
        chunks = sdk.chat.completions.create(
            model=place.fast, messages=[{"role": "user", "content": QUICK}], tools=[tool],
            tool_choice="required", stream=True,
        )  # fmt: skip
        calls = [c.choices[0].delta.tool_calls for c in chunks if c.choices]
        calls = [part[0] for part in calls if part]
        assert calls[0].function.name == "get_weather"
        arguments = "".join(part.function.arguments for part in calls)
        assert json.loads(arguments) == {"city": "demo", "days": 1}

    def test_chat_fills_a_json_schema(self, sdk, place):
        answer = sdk.chat.completions.create(
            model=place.fast, messages=[{"role": "user", "content": QUICK}],
            response_format={"type": "json_schema",
                             "json_schema": {"name": "w", "schema": WEATHER}},
        )  # fmt: skip
        assert json.loads(answer.choices[0].message.content) == {"city": "demo", "days": 1}

    def test_responses_answer_whole_and_streamed_alike(self, sdk, place):
        options = {"model": place.reasoner, "input": f"Hello {QUICK}", "store": False}
        whole = sdk.responses.create(**options)
        assert whole.status == "completed"
        assert whole.usage.output_tokens_details.reasoning_tokens > 0
        events = list(sdk.responses.create(**options, stream=True))
        text = "".join(e.delta for e in events if e.type == "response.output_text.delta")
        assert text == whole.output_text
        assert events[-1].type == "response.completed"
        assert events[-1].response.usage == whole.usage
        assert [e.sequence_number for e in events] == list(range(len(events)))

    def test_responses_call_a_function(self, sdk, place):
        tool = {"type": "function", "name": "get_weather", "parameters": WEATHER, "strict": True}
        answer = sdk.responses.create(
            model=place.fast, input=f"The weather in Rome {QUICK}", tools=[tool], store=False
        )
        call = answer.output[-1]
        assert call.type == "function_call"
        assert json.loads(call.arguments) == {"city": "Rome", "days": 1}

    def test_input_tokens_are_counted(self, sdk, place):
        options = {"model": place.fast, "input": "How many tokens are these?",
                   "instructions": "Be brief."}  # fmt: skip
        counted = sdk.responses.input_tokens.count(**options)
        answer = sdk.responses.create(**options, max_output_tokens=5, store=False)
        assert counted.object == "response.input_tokens"
        assert counted.input_tokens == answer.usage.input_tokens

    def test_a_conversation_is_compacted_and_goes_on(self, sdk, place):
        before = [{"role": "user", "content": f"Remember me {QUICK}"},
                  {"role": "assistant", "content": "A long story. " * 50}]  # fmt: skip
        compacted = sdk.responses.compact(model=place.fast, input=before)
        assert compacted.object == "response.compaction"
        assert [item.type for item in compacted.output] == ["message", "compaction"]
        assert compacted.usage.input_tokens > 150
        kept = [item.to_dict(warnings=False) for item in compacted.output]
        answer = sdk.responses.create(
            model=place.fast, input=[*kept, {"role": "user", "content": QUICK}], store=False
        )
        assert answer.usage.input_tokens < compacted.usage.input_tokens

    def test_embeddings_are_vectors_of_length_one(self, sdk, place):
        answer = sdk.embeddings.create(model=place.embed, input=["a", "b"], dimensions=64)
        assert [len(item.embedding) for item in answer.data] == [64, 64]
        assert answer.data[0].embedding != answer.data[1].embedding
        assert sum(x * x for x in answer.data[0].embedding) == pytest.approx(1, abs=1e-5)
        assert answer.usage.prompt_tokens == 2

    def test_models_are_listed(self, sdk, place):
        assert place.fast in {model.id for model in sdk.models.list()}

    def test_errors_are_typed(self, sdk, place):
        with pytest.raises(openai.NotFoundError):
            sdk.chat.completions.create(
                model="no/such-model", messages=[{"role": "user", "content": "x"}]
            )
        with pytest.raises(openai.RateLimitError):
            sdk.chat.completions.create(
                model=place.fast, messages=[{"role": "user", "content": "demo: status=429"}]
            )


class Anthropic:
    """Messages by `anthropic`."""

    @pytest.fixture
    def sdk(self, place):
        with place.anthropic() as client:
            yield client

    def test_messages_answer_whole(self, sdk, place):
        answer = sdk.messages.create(
            model=place.fast, max_tokens=500, messages=[{"role": "user", "content": QUICK}]
        )
        assert "imulated" in answer.content[0].text
        assert answer.stop_reason == "end_turn"
        assert answer.usage.output_tokens > 20

    def test_messages_stream(self, sdk, place):
        options = {"model": place.reasoner, "max_tokens": 500,
                   "messages": [{"role": "user", "content": QUICK}]}  # fmt: skip
        whole = sdk.messages.create(**options)
        with sdk.messages.stream(**options) as stream:
            events = [event.type for event in stream]
            final = stream.get_final_message()
        assert events[0] == "message_start"
        assert events[-1] == "message_stop"
        assert [b.type for b in final.content] == ["thinking", "text"]
        assert [(b.type, getattr(b, b.type)) for b in final.content] == [
            (b.type, getattr(b, b.type)) for b in whole.content
        ]
        assert final.content[0].signature
        assert final.usage.output_tokens == whole.usage.output_tokens

    def test_messages_honor_the_limit(self, sdk, place):
        answer = sdk.messages.create(
            model=place.fast, max_tokens=5, messages=[{"role": "user", "content": QUICK}]
        )
        assert answer.stop_reason == "max_tokens"
        assert answer.usage.output_tokens == 5

    def test_messages_run_a_tool_loop(self, sdk, place):
        options = {"model": place.fast, "max_tokens": 500,
                   "tools": [{"name": "get_weather", "input_schema": WEATHER}]}  # fmt: skip
        messages = [{"role": "user", "content": f"What is the weather in Oslo? {QUICK}"}]
        with sdk.messages.stream(**options, messages=messages) as stream:
            asked = stream.get_final_message()
        assert asked.stop_reason == "tool_use"
        call = asked.content[-1]
        assert call.input == {"city": "Oslo", "days": 1}
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "Snow"}
        messages += [
            {"role": "assistant", "content": asked.content},
            {"role": "user", "content": [result]},
        ]
        told = sdk.messages.create(**options, messages=messages)
        assert '"Snow"' in told.content[0].text

    def test_a_marked_prompt_is_written_to_the_cache_then_read(self, sdk, place):
        text = "This sentence is part of a long system prompt. " * 200
        options = {
            "model": place.fast, "max_tokens": 50,
            "system": [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}],
            "messages": [{"role": "user", "content": f"{place.url} {QUICK}"}],
        }  # fmt: skip
        first = sdk.messages.create(**options).usage
        again = sdk.messages.create(**options).usage
        assert again.cache_read_input_tokens >= 1024
        assert again.cache_creation_input_tokens < again.cache_read_input_tokens
        for usage in (first, again):
            cached = usage.cache_creation_input_tokens + usage.cache_read_input_tokens
            assert cached + usage.input_tokens == (
                first.input_tokens
                + first.cache_creation_input_tokens
                + first.cache_read_input_tokens
            )

    def test_tokens_are_counted(self, sdk, place):
        messages = [{"role": "user", "content": "How many tokens are these?"}]
        counted = sdk.messages.count_tokens(model=place.fast, messages=messages)
        answer = sdk.messages.create(model=place.fast, max_tokens=5, messages=messages)
        assert counted.input_tokens == answer.usage.input_tokens

    def test_errors_are_typed(self, sdk, place):
        for status, error in ((429, anthropic.RateLimitError), (400, anthropic.BadRequestError)):
            with pytest.raises(error):
                sdk.messages.create(
                    model=place.fast, max_tokens=5,
                    messages=[{"role": "user", "content": f"demo: status={status}"}],
                )  # fmt: skip
        with pytest.raises(anthropic.NotFoundError):
            sdk.messages.create(
                model="no/such-model", max_tokens=5, messages=[{"role": "user", "content": "x"}]
            )


class Gemini:
    """generateContent by `google-genai`."""

    @pytest.fixture
    def sdk(self, place):
        with place.gemini() as client:
            yield client

    def test_generate_answers_whole_and_streamed_alike(self, sdk, place):
        options = {"model": place.reasoner, "contents": f"Hello {QUICK}"}
        whole = sdk.models.generate_content(**options)
        assert "imulated" in whole.text
        assert whole.candidates[0].finish_reason.name == "STOP"
        usage = whole.usage_metadata
        assert usage.thoughts_token_count > 0
        assert usage.total_token_count == (
            usage.prompt_token_count + usage.candidates_token_count + usage.thoughts_token_count
        )
        chunks = list(sdk.models.generate_content_stream(**options))
        assert "".join(chunk.text or "" for chunk in chunks) == whole.text
        assert chunks[-1].usage_metadata == usage

    def test_generate_honors_the_limit(self, sdk, place):
        answer = sdk.models.generate_content(
            model=place.fast, contents=QUICK, config={"max_output_tokens": 6}
        )
        assert answer.candidates[0].finish_reason.name == "MAX_TOKENS"
        assert answer.usage_metadata.candidates_token_count == 6

    def test_generate_calls_a_function(self, sdk, place):
        declared = {"name": "get_weather", "parameters_json_schema": WEATHER}
        answer = sdk.models.generate_content(
            model=place.fast, contents=f"The weather in Lima {QUICK}",
            config={"tools": [{"function_declarations": [declared]}]},
        )  # fmt: skip
        assert answer.function_calls[0].name == "get_weather"
        assert answer.function_calls[0].args == {"city": "Lima", "days": 1}

    def test_generate_fills_a_json_schema(self, sdk, place):
        answer = sdk.models.generate_content(
            model=place.fast, contents=QUICK,
            config={"response_mime_type": "application/json", "response_json_schema": WEATHER},
        )  # fmt: skip
        assert json.loads(answer.text) == {"city": "demo", "days": 1}

    def test_tokens_are_counted(self, sdk, place):
        counted = sdk.models.count_tokens(model=place.fast, contents="How many are these?")
        answer = sdk.models.generate_content(
            model=place.fast, contents="How many are these?", config={"max_output_tokens": 2}
        )
        assert counted.total_tokens == answer.usage_metadata.prompt_token_count

    def test_embeddings_come_in_batches(self, sdk, place):
        answer = sdk.models.embed_content(
            model=place.embed, contents=["a", "b"], config={"output_dimensionality": 32}
        )
        assert [len(item.values) for item in answer.embeddings] == [32, 32]

    def test_errors_are_typed(self, sdk, place):
        with pytest.raises(genai_errors.ClientError) as limited:
            sdk.models.generate_content(model=place.fast, contents="demo: status=429")
        assert limited.value.code == 429
        with pytest.raises(genai_errors.ClientError) as unknown:
            sdk.models.generate_content(model="no-such-model", contents="x")
        assert unknown.value.code == 404
