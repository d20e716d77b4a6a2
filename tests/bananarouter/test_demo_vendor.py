import asyncio
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bananarouter.demo_vendor import answers, embeddings, mischief, tokens
from tests import sdk_contract, servers

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def vendor():
    """A demo vendor in a process of its own: its port."""
    port = servers.free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "bananarouter.demo_vendor", "--port", str(port)], cwd=ROOT
    )
    servers.wait_until(lambda: listens(port), what="the demo vendor")
    yield port
    process.terminate()
    assert process.wait(10) == 0


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def place(vendor):
    return sdk_contract.Place(
        url=f"http://127.0.0.1:{vendor}", key="any", fast="demo-fast", reasoner="demo-reasoner",
        embed="demo-embed",
    )  # fmt: skip


class TestOpenAI(sdk_contract.OpenAI):
    pass


class TestAnthropic(sdk_contract.Anthropic):
    pass


class TestGemini(sdk_contract.Gemini):
    pass


def post(port: int, words: str, *, stream: bool = True, timeout_s: float = 5):
    """Return the status, the headers and as much of the body as came, and how it ended."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    messages = [{"role": "user", "content": words}]
    body = {"model": "demo-fast", "stream": stream, "messages": messages}
    headers = {"Authorization": "Bearer any", "Content-Type": "application/json"}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    answer = connection.getresponse()
    received, end = b"", "whole"
    try:
        while part := answer.read1(65536):
            received += part
    except (http.client.IncompleteRead, OSError) as error:
        end = type(error).__name__
    connection.close()
    return answer, received, end


def test_every_answer_is_labeled(vendor):
    answer, body, _ = post(vendor, "demo: pace=0", stream=False)
    assert "simulated" in answer.headers["X-Demo-Vendor"]
    assert answers.LABEL in json.loads(body)["choices"][0]["message"]["content"]


@pytest.mark.parametrize("status", [400, 429, 500, 503, 529])
def test_answers_with_the_status_asked_for(vendor, status):
    answer, body, _ = post(vendor, f"demo: status={status}")
    assert answer.status == status
    assert "error" in json.loads(body)
    assert ("Retry-After" in answer.headers) == (status in {429, 503, 529})


def test_cuts_a_stream_cleanly_after_n_events(vendor):
    _, body, end = post(vendor, "demo: pace=0 cut=5")
    assert body.count(b"data: ") == 5
    assert b"[DONE]" not in body
    assert end == "IncompleteRead"


def test_resets_the_connection(vendor):
    _, body, end = post(vendor, "demo: pace=0 reset=5")
    assert end == "ConnectionResetError"
    assert b"[DONE]" not in body


def test_sends_an_error_event_and_ends(vendor):
    _, body, end = post(vendor, "demo: pace=0 error=3")
    assert end == "whole"
    assert "error" in json.loads(body.split(b"data: ")[-1])


def test_sends_garbage_and_goes_on(vendor):
    _, body, end = post(vendor, "demo: pace=0 garbage=2")
    assert b"<html>" in body
    assert end == "whole"
    assert body.endswith(b"data: [DONE]\n\n")


def test_falls_silent(vendor):
    _, body, end = post(vendor, "demo: pace=0 stall=2", timeout_s=0.5)
    assert end == "TimeoutError"
    assert body.count(b"data: ") == 2


def test_leaves_the_usage_out(vendor):
    _, body, _ = post(vendor, "demo: pace=0 no-usage", stream=False)
    assert "usage" not in json.loads(body)


def test_stops_for_a_filter(vendor):
    _, body, _ = post(vendor, "demo: pace=0 refuse", stream=False)
    assert json.loads(body)["choices"][0]["finish_reason"] == "content_filter"


def test_keeps_the_pace_of_its_model(vendor):
    began = time.monotonic()
    post(vendor, "demo: tokens=80")
    # 80 tokens at 160 a second, after 80 ms.
    assert 0.55 <= time.monotonic() - began <= 3


def test_refuses_callers_without_a_credential(vendor):
    connection = http.client.HTTPConnection("127.0.0.1", vendor)
    connection.request("POST", "/v1/messages", "{}")
    answer = connection.getresponse()
    assert answer.status == 401
    assert json.loads(answer.read())["error"]["type"] == "authentication_error"
    connection.close()


@pytest.mark.parametrize("body", ["", "[]", "{", '{"model":"demo-fast","messages":7}', "null"])
def test_bad_bodies_are_a_400(vendor, body):
    connection = http.client.HTTPConnection("127.0.0.1", vendor)
    connection.request("POST", "/v1/chat/completions", body, {"Authorization": "Bearer x"})
    assert connection.getresponse().status in {400, 404}
    connection.close()


def test_many_streams_run_at_once(vendor):
    async def one() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", vendor)
        messages = [{"role": "user", "content": "demo: tokens=30"}]
        body = json.dumps({"model": "demo-fast", "stream": True, "messages": messages})
        lines = ["POST /v1/chat/completions HTTP/1.1", "Host: x", "Authorization: Bearer x"]
        lines += ["Connection: close", f"Content-Length: {len(body)}", "", ""]
        head = "\r\n".join(lines)
        writer.write((head + body).encode())
        received = await reader.read(-1)
        writer.close()
        return received

    async def all_of_them() -> list[bytes]:
        return await asyncio.gather(*(one() for _ in range(100)))

    began = time.monotonic()
    assert all(b"[DONE]" in received for received in asyncio.run(all_of_them()))
    assert time.monotonic() - began < 5


def test_pieces_join_to_the_text_whatever_the_characters():
    text = "naïve 😀 日本語 \u200d e\u0301 " * 50
    assert "".join(tokens.pieces(text)) == text
    assert len(tokens.pieces(text)) == tokens.count(text)


def test_long_texts_are_counted():
    assert tokens.count("word " * 100_000) >= 100_000


@pytest.mark.parametrize("count", [1, 40, 400, 5000])
def test_an_answer_has_the_number_of_tokens_asked_for(count):
    prompt = answers.Prompt(model="demo-fast", text="x", latest="x")
    answer = answers.compose(prompt, mischief.Plan(tokens=count))
    assert answer.output_tokens == count


def test_the_same_prompt_gets_the_same_answer():
    prompt = answers.Prompt(model="demo-reasoner", text="x", latest="x")
    first, second = (answers.compose(prompt, mischief.Plan()) for _ in range(2))
    assert (first.id, first.text, first.thoughts) == (second.id, second.text, second.thoughts)


def test_a_vector_depends_on_its_text_only():
    assert embeddings.vector("a", 8) == embeddings.vector("a", 8) != embeddings.vector("b", 8)


def test_instructions_are_read_wherever_they_stand():
    plan = mischief.read("Please demo: status=529 first=2.5\nand demo: no-usage, thanks")
    assert (plan.status, plan.first_s, plan.has_usage) == (529, 2.5, False)
    assert mischief.read("A demo without instructions: status=500") == mischief.Plan()
    assert mischief.read("demo: status=200 cut=x") == mischief.Plan()
    assert mischief.read("demo: slow=1.2.3") == mischief.Plan()


def test_the_environment_of_the_tests_has_no_vendor_key():
    assert not [name for name in os.environ if name.endswith("_API_KEY")]  # noqa: TID251
