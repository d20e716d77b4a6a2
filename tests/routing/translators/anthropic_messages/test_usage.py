from anthropic.types import Usage
from pydantic import TypeAdapter

from routing.translators.anthropic_messages import usage
from tests.routing.translators.anthropic_messages.making import bill


def told(**quantities):
    tier = quantities.pop("tier", "standard")
    found = usage.told(bill(tier=tier, **quantities))
    TypeAdapter(Usage).validate_python({name: n for name, n in found.items() if name != "cost"})
    return found


def test_caches_stand_outside_the_input():
    found = told(input=17, cache_read=3, cache_write=1, cache_write_5m=4, cache_write_1h=2_056,
                 output=100)  # fmt: skip
    assert found["input_tokens"] == 17
    assert found["cache_read_input_tokens"] == 3
    assert found["cache_creation_input_tokens"] == 2_061
    assert found["cache_creation"] == {
        "ephemeral_5m_input_tokens": 5,
        "ephemeral_1h_input_tokens": 2_056,
    }
    assert found["output_tokens"] == 100


def test_other_inputs_and_outputs_are_inside():
    found = told(input=1, audio_input=2, image_input=4, video_input=8, tool_prompt=16,
                 audio_cache_read=32, output=64, reasoning=128, audio_output=256)  # fmt: skip
    assert found["input_tokens"] == 31
    assert found["cache_read_input_tokens"] == 32
    assert found["output_tokens"] == 448
    assert found["output_tokens_details"] == {"thinking_tokens": 128}


def test_server_tools_are_counted_only_where_there_were_any():
    assert "server_tool_use" not in told(input=1)
    assert told(web_search=2)["server_tool_use"] == {
        "web_search_requests": 2,
        "web_fetch_requests": 0,
    }


def test_a_tier_that_the_sdk_does_not_know_is_not_told():
    assert told(tier="priority")["service_tier"] == "priority"
    assert "service_tier" not in told(tier="flex")
