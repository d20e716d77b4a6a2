"""What the reference shows works: each example is sent, each answer is as it is described."""

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request

import pytest

from bananarouter.demo_vendor import pictures, sounds
from bananarouter.openapi import document, examples, headers
from bananarouter.openapi.operation import EVENTS
from tests.servers import wait_until

jsonschema = pytest.importorskip(
    "jsonschema", reason="jsonschema is not installed yet: renew the lock"
)
pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here"),
]
CASES = [
    pytest.param(one, example, id=f"{one.id}-{example.name}")
    for one in document.described()
    for example in one.operation.examples
]
SDK_TIMEOUT_S = 120
# What goes with every answer and is no header of ours.
COMMON = {"x-request-id", "x-accel-buffering"}
RUN_ALL = """
import json, os, sys, traceback
for name, (code, key) in json.load(sys.stdin).items():
    os.environ[sys.argv[1]] = key
    try:
        exec(compile(code, name, "exec"), {"__name__": name})
    except BaseException:
        print(f"FAILED {name}\\n{code}\\n{traceback.format_exc()}", file=sys.stderr)
        sys.exit(1)
    print(f"ran {name}", file=sys.stderr)
"""


@pytest.fixture(scope="module")
def told(running):
    """The document, as this gateway serves it."""
    with urllib.request.urlopen(f"{running.url}/api/openapi.json") as got:  # noqa: S310 - loopback
        return json.load(got)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A reader's folder: the files that the examples send."""
    found = tmp_path_factory.mktemp("examples")
    (found / "picture.png").write_bytes(pictures.png("a banana"))
    (found / "speech.wav").write_bytes(sounds.speech({"input": "Hello, this is a banana."})[0])
    return found


@pytest.fixture(scope="module")
def manager(running):
    """A management key of an account of its own."""
    made = running.manage(
        "create_key", "--email", "manager@example.com", "--credit-usd", "0", "--management"
    )
    return made.stdout.split()[-1]


@pytest.fixture
def reader(running, manager, generation):
    """What a reader puts in place of what the examples cannot know."""

    def key_of(one):
        return manager if one.route.path.startswith("/api/v1/keys") else running.key

    def write(writer, one, example):
        text = writer(
            one.operation, example, method=one.method, path=one.route.path, origin=running.url,
            is_demo=True,
        )  # fmt: skip
        if examples.HASH in text:
            text = text.replace(examples.HASH, new_key(running.url, manager))
        return text.replace(examples.GENERATION, generation)

    return key_of, write


def new_key(url, manager):
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{url}/api/v1/keys", b'{"name": "of an example"}', {"authorization": f"Bearer {manager}"}
    )
    with urllib.request.urlopen(request) as got:  # noqa: S310
        return json.load(got)["data"]["hash"]


def environment(key):
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}  # noqa: TID251
    return {**kept, examples.KEY_VARIABLE: key}


@pytest.fixture(scope="module")
def generation(running):
    """A request whose record can be asked for."""

    def ask(path, body=None):
        request = urllib.request.Request(  # noqa: S310 - loopback
            running.url + path, body, {"authorization": f"Bearer {running.key}",
                                       "content-type": "application/json"},
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request) as got:  # noqa: S310
                return got.headers["x-generation-id"]
        except urllib.error.HTTPError as error:
            return error.close()

    made = ask("/v1/embeddings", b'{"model": "demo/embed", "input": "hi"}')
    wait_until(lambda: ask(f"/api/v1/generation?id={made}"), what="the record of a request")
    return made


def faults_of(body, shape, told):
    check = jsonschema.Draft202012Validator({**shape, "components": told["components"]})
    return [f"{error.json_path}: {error.message[:200]}" for error in check.iter_errors(body)]


def parsed(head):
    """Return status and headers of an answer, out of what curl wrote."""
    lines = head.splitlines()
    pairs = (line.partition(":") for line in lines[1:] if line)
    return int(lines[0].split()[1]), {name.lower(): value.strip() for name, _, value in pairs}


@pytest.mark.parametrize(("one", "example"), CASES)
def test_a_curl_example_gets_the_answer_that_is_described(one, example, told, folder, reader):
    key_of, write = reader
    command = write(examples.curl, one, example)
    body_at, head_at = folder / (example.output or "body"), folder / "head"
    body_at.unlink(missing_ok=True)
    more = f" -sS -D {head_at}" + ("" if example.output else f" -o {body_at}")
    subprocess.run(command + more, shell=True, cwd=folder, env=environment(key_of(one)), timeout=60,  # noqa: S602
                   check=True)  # fmt: skip
    status, got = parsed(head_at.read_text())
    body = body_at.read_bytes()
    assert status == one.operation.status, body[:500]

    described = told["paths"][one.route.path][one.method]["responses"][str(status)]
    kind = got["content-type"].partition(";")[0]
    matching = [k for k in described["content"] if fnmatch.fnmatch(kind, k)]
    assert matching, f"{kind} is not among {list(described['content'])}"
    ours = {name for name in got if name.startswith("x-")} - COMMON
    assert ours <= {name.lower() for name in described["headers"]}
    assert "x-generation-id" in ours

    shape = described["content"][matching[0]].get("schema")
    is_stream = kind == EVENTS
    assert is_stream == (bool((example.body or {}).get("stream")) or "alt" in example.query)
    if shape is None:
        assert body
    elif is_stream:
        events = [json.loads(data) for data in re.findall(rb"^data: (\{.*)$", body, re.MULTILINE)]
        assert len(events) > 2
        assert [fault for event in events for fault in faults_of(event, shape, told)] == []
    else:
        assert faults_of(json.loads(body), shape, told) == []
        # The schema says something: it does not take what is no answer.
        assert faults_of([], shape, told) != [] or shape.get("type") == "array"


def test_the_python_examples_run_with_the_official_sdks(folder, reader):
    key_of, write = reader
    codes = {
        f"{one.id}-{example.name}": (write(examples.python, one, example), key_of(one))
        for one in document.described()
        if one.is_home
        for example in one.operation.examples
    }
    assert len(codes) > 30
    ran = subprocess.run(
        [sys.executable, "-c", RUN_ALL, examples.KEY_VARIABLE], input=json.dumps(codes),
        cwd=folder, env=environment(""), capture_output=True, text=True, timeout=SDK_TIMEOUT_S,
        check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3_000:]
    assert ran.stderr.count("ran ") == len(codes)
    assert (folder / "speech.mp3").stat().st_size > 1_000


def refusal(url, method, body=None, key=""):
    """Send what must be refused; return status, headers and body."""
    told = {"content-type": "application/json"}
    if key:
        told["authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, body, told, method=method.upper())  # noqa: S310 - loopback
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)  # noqa: S310
    with refused.value as got:
        return got.code, {name.lower() for name in got.headers}, json.load(got)


def assert_described(one, told, refused, code):
    status, names, answer = refused
    pointed = told["paths"][one.route.path][one.method]["responses"][str(status)]["$ref"]
    described = told["components"]["responses"][pointed.rpartition("/")[2]]
    content = described["content"]["application/json"]
    assert faults_of(answer, content["schema"], told) == [], one.id
    example = content["examples"][code]["value"]
    assert {*answer} == {*example}, one.id
    assert {*answer["error"]} == {*example["error"]}, one.id
    assert {name.lower() for name in headers.OF_ERRORS} & names == {"x-generation-id"}


def test_a_request_without_a_key_is_refused_as_it_is_described(told, running):
    for one in document.described():
        path = re.sub(r"\{\w+\}", "nothing", one.route.path)
        refused = refusal(running.url + path, one.method, b"{}" if one.method == "post" else None)
        assert refused[0] == 401, one.id
        assert_described(one, told, refused, "missing_api_key")


def test_a_model_that_is_not_there_is_refused_as_it_is_described(told, running):
    sent = 0
    for one in document.described():
        examples_of = [e for e in one.operation.examples if e.model and not e.files]
        for example in examples_of[:1]:
            body = json.dumps(examples.body(example, is_demo=True)).replace("demo/", "acme/")
            path = re.sub(r"\{\w+\}", "acme/nothing", one.route.path)
            raw = body.encode() if one.method == "post" else None
            refused = refusal(running.url + path, one.method, raw, running.key)
            assert refused[0] == 404, (one.id, refused[2])
            assert_described(one, told, refused, "model_not_found")
            sent += 1
    assert sent > 30
