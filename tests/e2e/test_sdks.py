"""The official SDKs against a gateway as `manage.py run` starts it: only URL and key changed."""

import json
import time
import urllib.error
import urllib.request
from decimal import Decimal

import anthropic
import openai
import pytest
from google.genai import errors as genai_errors

from tests import sdk_contract
from tests.servers import wait_until

pytestmark = pytest.mark.process


class TestOpenAI(sdk_contract.OpenAI):
    pass


class TestAnthropic(sdk_contract.Anthropic):
    def test_models_are_listed(self, sdk, place):
        assert place.fast in {model.id for model in sdk.models.list()}

    def test_the_beta_surface_that_coding_agents_use_streams(self, sdk, place):
        with sdk.beta.messages.stream(
            model=place.fast,
            max_tokens=200,
            messages=[{"role": "user", "content": sdk_contract.QUICK}],
        ) as stream:
            assert "imulated" in stream.get_final_message().content[0].text


class TestGemini(sdk_contract.Gemini):
    def test_models_are_listed(self, sdk, place):
        assert f"models/{place.fast}" in {model.name for model in sdk.models.list()}


def tell(place, path: str) -> dict | None:
    """Return the data of one of the platform's own answers, None when there is none yet."""
    headers = {"Authorization": f"Bearer {place.key}"}
    request = urllib.request.Request(place.url + path, headers=headers)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)["data"]
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 404:
            return None
        raise


def spent(place) -> Decimal:
    return Decimal(str(tell(place, "/api/v1/credits")["total_usage"]))


def spent_by_now(place) -> Decimal:
    """What was spent once nothing of earlier tests is under way: what they cut off ends late."""
    seen = [spent(place)]

    def is_still():
        time.sleep(0.5)
        seen.append(spent(place))
        return seen[-1] == seen[-2]

    wait_until(is_still, timeout_s=30, what="earlier requests")
    return seen[-1]


def test_every_protocol_is_metered_and_paid(place):
    words = sdk_contract.QUICK
    before = spent_by_now(place)
    with place.openai() as client:
        usage = client.chat.completions.create(
            model=place.fast, messages=[{"role": "user", "content": words}]
        ).usage
    # $2.50 and $10 a million tokens, and the platform's markup of 5%.
    price = Decimal(usage.prompt_tokens) * 2625 + Decimal(usage.completion_tokens) * 10500
    first = spent(place)
    assert first - before == price / 1_000_000_000
    with place.anthropic() as client:
        client.messages.create(
            model=place.fast, max_tokens=50, messages=[{"role": "user", "content": words}]
        )
    second = spent(place)
    assert second > first
    with place.gemini() as client:
        client.models.generate_content(model=place.fast, contents=words)
    assert spent(place) > second


def test_a_wrong_key_is_every_sdks_own_exception(place):
    wrong = sdk_contract.Place(url=place.url, key="bnr_live_wrong", fast="demo/fast",
                               reasoner="", embed="")  # fmt: skip
    with wrong.openai() as client, pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model="demo/fast", messages=[])
    with wrong.anthropic() as client, pytest.raises(anthropic.AuthenticationError):
        client.messages.create(model="demo/fast", max_tokens=5, messages=[])
    with wrong.gemini() as client, pytest.raises(genai_errors.ClientError) as refused:
        client.models.generate_content(model="demo/fast", contents="x")
    assert refused.value.code in {400, 401}


def test_every_answer_names_its_generation(place):
    with place.openai() as client:
        answer = client.chat.completions.with_raw_response.create(
            model=place.fast, messages=[{"role": "user", "content": sdk_contract.QUICK}]
        )
    generation = answer.headers["X-Generation-Id"]
    # The request log is written in groups, a moment after the answer.
    told = wait_until(lambda: tell(place, f"/api/v1/generation?id={generation}"), what="its row")
    assert told["id"] == generation
    assert told["model"] == place.fast


def test_the_ledger_is_clean_after_all_this(place, served):
    assert spent(place) > 0
    assert served.manage("audit_ledger").returncode == 0
