"""A message may script the demo vendor's calls; agents' own words between do not confuse it."""

import http.client
import json

import pytest

from bananarouter.demo_vendor import scripted
from tests.bananarouter.test_demo_vendor import vendor  # noqa: F401 - a fixture

SCRIPT = 'Go demo: pace=0 demo: call=read {"path": "a{"} demo: call=write {"n": 1} call=read {}'
NAMES = ("read", "write")
PARAMETERS = {"type": "object", "properties": {"path": {"type": "string"}}}


def names(script):
    return [wanted.name for wanted in script.due]


def user(text):
    return scripted.Turn(text=text)


def result(text):
    return scripted.Turn(text=text, is_result=True)


def test_steps_wait_for_the_results_of_all_calls_before_them():
    first = scripted.read([user(SCRIPT)])
    assert [(wanted.name, wanted.arguments) for wanted in first.due] == [("read", {"path": "a{"})]
    assert first.result is None
    second = scripted.read([user(SCRIPT), result("x")])
    assert [wanted.arguments for wanted in second.due] == [{"n": 1}, {}]
    ended = scripted.read([user(SCRIPT), result("x"), result("y"), user("reminder"), result("z")])
    assert (ended.due, ended.result) == ((), "z")


def test_a_later_script_begins_anew():
    script = scripted.read([user(SCRIPT), result("x"), user("demo: call=write {}")])
    assert (names(script), script.result) == (["write"], None)


@pytest.mark.parametrize(
    "text",
    ["", "call=read {}", "demo: call=read", "demo: call=read {", "demo: call=read []", "demo: x"],
)
def test_what_is_no_script_is_none(text):
    assert scripted.read([user(text)]) is None
    assert scripted.read([result(SCRIPT)]) is None


def post(port, path, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", path, json.dumps(body), {"Authorization": "Bearer any"})
    answer = connection.getresponse()
    assert answer.status == 200
    told = json.loads(answer.read())
    connection.close()
    return told


def chat(port, *, done, tools):
    calls = [{"id": f"c{n}", "type": "function", "function": {"name": "read", "arguments": "{}"}}
             for n in range(done)]  # fmt: skip
    messages = [{"role": "user", "content": SCRIPT}]
    if done:
        messages += [{"role": "assistant", "tool_calls": calls}]
        messages += [{"role": "tool", "tool_call_id": c["id"], "content": "R"} for c in calls]
        messages += [{"role": "user", "content": "a reminder to write"}]
    offered = [{"type": "function", "function": {"name": n, "parameters": PARAMETERS}}
               for n in tools]  # fmt: skip
    told = post(port, "/v1/chat/completions",
                {"model": "demo-fast", "messages": messages, "tools": offered})  # fmt: skip
    message = told["choices"][0]["message"]
    calls = [(c["id"], c["function"]["name"]) for c in message.get("tool_calls", ())]
    return calls, message["content"]


def responses(port, *, done, tools):
    items = [{"role": "user", "content": SCRIPT}]
    for n in range(done):
        items += [
            {"type": "function_call", "call_id": f"c{n}", "name": "read", "arguments": "{}"},
            {"type": "function_call_output", "call_id": f"c{n}", "output": "R"},
        ]
    items += [{"role": "user", "content": "a reminder to write"}] * bool(done)
    offered = [{"type": "function", "name": n, "parameters": PARAMETERS} for n in tools]
    told = post(port, "/v1/responses",
                {"model": "demo-fast", "input": items, "tools": offered})  # fmt: skip
    calls = [(i["call_id"], i["name"]) for i in told["output"] if i["type"] == "function_call"]
    texts = [i["content"][0]["text"] for i in told["output"] if i["type"] == "message"]
    return calls, "".join(texts) or None


def messages(port, *, done, tools):
    sent = [{"role": "user", "content": [{"type": "text", "text": SCRIPT}]}]
    if done:
        calls = [{"type": "tool_use", "id": f"c{n}", "name": "read", "input": {}}
                 for n in range(done)]  # fmt: skip
        results = [{"type": "tool_result", "tool_use_id": c["id"], "content": "R"} for c in calls]
        reminder = {"type": "text", "text": "a reminder to write"}
        sent += [{"role": "assistant", "content": calls},
                 {"role": "user", "content": [*results, reminder]}]  # fmt: skip
    offered = [{"name": n, "input_schema": PARAMETERS} for n in tools]
    told = post(port, "/v1/messages", {"model": "demo-fast", "max_tokens": 500, "messages": sent,
                                       "tools": offered})  # fmt: skip
    calls = [(b["id"], b["name"]) for b in told["content"] if b["type"] == "tool_use"]
    return calls, "".join(b.get("text", "") for b in told["content"]) or None


def gemini(port, *, done, tools):
    contents = [{"role": "user", "parts": [{"text": SCRIPT}]}]
    if done:
        calls = [{"functionCall": {"name": "read", "args": {}}}] * done
        results = [{"functionResponse": {"name": "read", "response": {"output": "R"}}}] * done
        contents += [{"role": "model", "parts": calls}, {"role": "user", "parts": results},
                     {"role": "user", "parts": [{"text": "a reminder to write"}]}]  # fmt: skip
    offered = [{"functionDeclarations": [{"name": n, "parameters": PARAMETERS} for n in tools]}]
    told = post(port, "/v1beta/models/demo-fast:generateContent",
                {"contents": contents, "tools": offered})  # fmt: skip
    parts = told["candidates"][0]["content"]["parts"]
    calls = [(n, p["functionCall"]["name"]) for n, p in enumerate(parts) if "functionCall" in p]
    return calls, "".join(part.get("text", "") for part in parts) or None


@pytest.mark.parametrize("ask", [chat, responses, messages, gemini])
def test_every_protocol_calls_as_the_script_says_then_tells_the_result(vendor, ask):  # noqa: F811
    calls, text = ask(vendor, done=0, tools=NAMES)
    assert [name for _, name in calls] == ["read"]
    assert text is None
    calls, text = ask(vendor, done=1, tools=NAMES)
    assert [name for _, name in calls] == ["write", "read"]
    assert len(dict(calls)) == 2  # each has an id of its own
    assert text is None
    # The reminder says "write", but the script has ended.
    calls, text = ask(vendor, done=3, tools=NAMES)
    assert calls == []
    assert "The tool answered" in text


@pytest.mark.parametrize("ask", [chat, responses, messages, gemini])
def test_no_tool_is_called_that_is_not_offered(vendor, ask):  # noqa: F811
    calls, text = ask(vendor, done=0, tools=["other"])
    assert calls == []
    assert "imulated" in text


def test_nobody_asks_for_a_tool_in_pages_of_instructions(vendor):  # noqa: F811
    tool = {"type": "function", "function": {"name": "read", "parameters": PARAMETERS}}
    for padding, calls in (("", True), ("word " * 300, False)):
        said = [{"role": "user", "content": f"demo: pace=0 read {padding}"}]
        sent = {"model": "demo-fast", "tools": [tool], "messages": said}
        message = post(vendor, "/v1/chat/completions", sent)["choices"][0]["message"]
        assert ("tool_calls" in message) is calls
