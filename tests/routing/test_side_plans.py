"""Who counts, who embeds and who compacts: the endpoints of the operations beside generation."""

import datetime as dt

import pytest

from routing import catalogue, side_plans
from routing.errors import Code, RelayError
from routing.surfaces import Surface
from tests.routing.test_planner import PRICES, caller, channel, install

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)


def speaking(protocol, name=None, **changes):
    return channel(name or protocol, vendor="generic", protocol=protocol, **changes)


def plan(surface, *, who=None):
    model = catalogue.current().resolve("m") or catalogue.current().resolve("acme/m")
    found = side_plans.plan(model, caller=who or caller(), surface=surface, at=NOW)
    return [endpoint.channel.name for endpoint in found]


def refusal(surface, **options):
    with pytest.raises(RelayError) as caught:
        plan(surface, **options)
    return caught.value


@pytest.mark.parametrize("surface", sorted(side_plans.COUNTS))
@pytest.mark.parametrize("protocol", ["openai-chat", "anthropic-messages", "gemini"])
def test_tokens_are_counted_whatever_the_model_speaks(surface, protocol):
    install(speaking(protocol))
    assert plan(surface) == [protocol]


def test_a_count_has_the_same_access_rules_as_the_model():
    install(speaking("gemini"))
    for who in (caller(allowed_models=("x/y",)), caller(key_is_demo=True)):
        assert refusal(Surface.COUNT_TOKENS, who=who).code is Code.MODEL_NOT_ALLOWED


def test_a_model_without_a_price_is_not_counted_either():
    install(speaking("gemini"))
    model = catalogue.current().resolve("m")
    before = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
    with pytest.raises(RelayError) as caught:
        side_plans.plan(model, caller=caller(), surface=Surface.COUNT_TOKENS, at=before)
    assert caught.value.code is Code.UNPRICED


@pytest.mark.parametrize(
    ("surface", "order"),
    [
        (Surface.EMBEDDINGS, ["openai-chat", "gemini"]),
        (Surface.GEMINI_EMBED, ["gemini", "openai-chat"]),
        (Surface.GEMINI_BATCH_EMBED, ["gemini", "openai-chat"]),
    ],
)
def test_embeddings_are_asked_natively_first(surface, order):
    install(
        speaking("anthropic-messages", priority=1),
        speaking("gemini", priority=2),
        speaking("openai-chat", priority=3),
    )
    assert plan(surface) == order


def test_a_protocol_without_embeddings_is_refused():
    install(speaking("anthropic-messages"))
    error = refusal(Surface.EMBEDDINGS)
    assert error.code is Code.WRONG_PROTOCOL
    assert "anthropic-messages" in error.message


def test_a_conversation_is_compacted_where_the_vendor_can():
    models = [{"name": "acme/m", "prices": PRICES}]
    install(
        channel("other", vendor="groq", priority=1, models=models),
        channel("openai", priority=2, models=models),
    )
    assert plan(Surface.COMPACT) == ["openai"]


def test_nothing_is_compacted_that_responses_could_not_go_on_with():
    deaf = {"speaks_responses": False}
    install(channel("openai", models=[{"name": "acme/m", "prices": PRICES, "quirks": deaf}]))
    assert refusal(Surface.COMPACT).code is Code.WRONG_PROTOCOL


@pytest.mark.parametrize("vendor", ["groq", "azure-openai"])
def test_who_cannot_compact_is_told_who_can(vendor):
    install(channel("only", vendor=vendor))
    error = refusal(Surface.COMPACT)
    assert (error.code, error.param, error.status) == (Code.WRONG_PROTOCOL, "model", 400)
    assert "offered by OpenAI." in error.message
    assert error.message.startswith("The vendors of the model ")
