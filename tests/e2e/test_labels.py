"""Labels on a real gateway: the tag and the end user's hash arrive, the name itself nowhere."""

import contextlib
import json

import pytest

from tests import scripts, sdk_contract
from tests.e2e.canaries import Nest, Search
from tests.e2e.serving import ALL, CHAT, GENERATE, MESSAGES, Serving, model_of
from tests.servers import wait_until

pytestmark = pytest.mark.process
NEST = Nest()
NAME = NEST["user-id"].text
NAMED = {
    "chat": {"user": NAME},
    "responses": {"safety_identifier": NAME},
    "embeddings": {"user": NAME},
    "messages": {"metadata": {"user_id": NAME}},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        place = Serving(tmp_path_factory.mktemp("labels"), names=("main", "none"))
        stack.callback(place.stop)
        place.start()
        for protocol in ALL:
            place.vendor.scripts[model_of(protocol, "main")] = protocol.answer()
        yield place


def kept(place, answer):
    """The labels of a request as the database holds them."""
    row = wait_until(
        lambda: place.rows(
            "SELECT tag, end_user, sent_ms, first_byte_ms, total_ms FROM logs_requestlog "
            "WHERE request_id = ?", answer.headers["x-generation-id"].removeprefix("gen-"),
        ), what="its row",
    )[0]  # fmt: skip
    if row[3] is not None:
        assert 0 <= row[2] <= row[3] <= row[4]
    return row[:2]


def test_every_protocol_takes_a_tag_and_none_sends_it_on(place):
    for protocol in (CHAT, MESSAGES, GENERATE):
        place.vendor.scripts[model_of(protocol, "main")] = protocol.answer()
        answer = place.call(protocol, headers={"X-Tag": f"team/{protocol.name}"})
        assert answer.status == 200, answer.body
        assert kept(place, answer) == (f"team/{protocol.name}", None)
    assert b"x-tag" not in bytes(place.vendor.received).lower()
    assert b"team/" not in bytes(place.vendor.received)


def test_a_stream_is_labeled_too(place):
    place.vendor.scripts[model_of(CHAT, "main")] = scripts.stream(CHAT.events())
    answer = place.call(CHAT, is_stream=True, headers={"x-tag": "streamed"}, user=NAME)
    assert kept(place, answer)[0] == "streamed"
    assert len(kept(place, answer)[1]) == 32


def test_one_name_is_one_hash_in_every_protocol(place):
    hashes = set()
    for protocol in ALL:
        if protocol.name in NAMED:
            place.vendor.scripts[model_of(protocol, "main")] = protocol.answer()
            tag, end_user = kept(place, place.call(protocol, **NAMED[protocol.name]))
            assert tag is None
            hashes.add(end_user)
    assert len(hashes) == 1
    other = place.new_key("other@example.com")
    assert kept(place, place.call(CHAT, key=other, user=NAME))[1] not in hashes


@pytest.mark.parametrize("protocol", ALL, ids=lambda protocol: protocol.name)
def test_a_malformed_tag_is_refused_in_the_callers_protocol(protocol, place):
    answer = place.call(protocol, headers={"x-tag": f"{NEST['user-id'].latin} and more"})
    assert answer.status == 400
    # Anthropic's errors have no codes.
    assert answer.code in {"invalid_header", "invalid_request_error"}
    assert b"X-Tag" in answer.body
    assert kept(place, answer) == (None, None)


def test_a_refused_request_keeps_its_labels(place):
    answer = place.call(CHAT, headers={"x-tag": "poor", "x-max-cost-usd": "0.000001"}, user=NAME)
    assert answer.status == 402
    tag, end_user = kept(place, answer)
    assert (tag, len(end_user)) == ("poor", 32)
    missing = place.send(
        CHAT, "/v1/chat/completions", json.dumps({"model": "no-such"}).encode(),
        headers={"x-tag": "lost"},
    )  # fmt: skip
    assert kept(place, missing)[0] == "lost"


def test_a_request_over_its_rate_keeps_its_tag(tmp_path):
    with contextlib.ExitStack() as stack:
        place = Serving(tmp_path, KEY_REQUESTS_PER_MINUTE="1")
        stack.callback(place.stop)
        place.start()
        place.vendor.scripts[model_of(CHAT, "main")] = CHAT.answer()
        answers = [place.call(CHAT, headers={"x-tag": tag}) for tag in ("a", "b", "c d")]
        assert [answer.status for answer in answers] == [200, 429, 429]
        assert [kept(place, answer)[0] for answer in answers] == ["a", "b", None]


def test_generation_tells_both_labels_and_not_the_name(place):
    place.vendor.scripts[model_of(CHAT, "main")] = CHAT.answer()
    answer = place.call(CHAT, headers={"x-tag": "told"}, user=NAME)
    labels = kept(place, answer)
    url = f"/api/v1/generation?id={answer.headers['x-generation-id']}"
    told = place.send(CHAT, url, b"", method="GET").json["data"]
    assert (told["tag"], told["end_user"]) == labels
    assert told["external_user"] is None


def test_the_official_sdks_send_labels(place):
    sdk = sdk_contract.Place(
        url=place.gateway.url, key=place.key, fast="", reasoner="", embed=""
    )  # fmt: skip
    hello = [{"role": "user", "content": "hi"}]
    headers = {"X-Tag": "sdk"}
    for protocol in (CHAT, MESSAGES, GENERATE):
        place.vendor.scripts[model_of(protocol, "main")] = protocol.answer()
    with sdk.openai() as client:
        client.chat.completions.create(
            model="c-main", messages=hello, user=NAME, extra_headers=headers
        )
    with sdk.anthropic() as client:
        client.messages.create(
            model="a-main", max_tokens=9, messages=hello, metadata={"user_id": NAME},
            extra_headers=headers,
        )  # fmt: skip
    with sdk.gemini() as client:
        client.models.generate_content(
            model="g-main", contents="hi", config={"http_options": {"headers": headers}}
        )
    query = "SELECT surface, end_user FROM logs_requestlog WHERE tag = 'sdk'"
    rows = wait_until(lambda: len(f := place.rows(query)) == 3 and f, what="three rows")
    found = dict(rows)
    assert found["chat"] == found["messages"] is not None
    assert found["generate"] is None


def test_the_name_is_nowhere(place):
    """Runs last: whatever was sent above, no file of the gateway holds the end user's name."""
    search = Search(NEST)
    assert not search.tree(place.gateway.folder)
    assert any(path.name.startswith("bananarouter.sqlite3") for path in search.files)
    # The control: it did go out to the vendor, whose protocol it is.
    assert search.data(bytes(place.vendor.received), "the vendor")
