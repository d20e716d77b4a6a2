"""Thousands of models in one import, in effect on every worker within two seconds."""

import http.client
import json
import time

import pytest

from tests import servers
from tests.gateways import Gateway

pytestmark = pytest.mark.alone

MODELS = 3_000
WORKERS = 2
IN_EFFECT_S = 2
CONNECTIONS = 24


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def gateway(request, postgresql, tmp_path_factory):
    folder = tmp_path_factory.mktemp("import")
    if request.param == "sqlite":
        gateway = Gateway(folder, "--no-demo").start()
        yield gateway
        gateway.stop()
        return
    with servers.fresh_database(postgresql.url) as url:
        options = ("--no-demo", "--workers", str(WORKERS))
        gateway = Gateway(folder, *options, DATABASE_URL=url).start()
        yield gateway
        gateway.stop()


def write(folder, input_price):
    channel = {
        "name": "many",
        "vendor": "together",
        "protocol": "openai-chat",
        "base_url": "http://127.0.0.1:9/v1",
        "api_key": "sk-x",
        "models": [
            {"name": f"maker/model-{n}", "prices": {"input": input_price, "output": "10"}}
            for n in range(MODELS)
        ],
    }
    file = folder / f"{input_price}.json"
    file.write_text(json.dumps({"channels": [channel]}))
    return str(file)


def knows(port, key, name):
    """Ask on a connection of its own, which the kernel gives to some worker."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", f"/v1/models/{name}", headers={"authorization": f"Bearer {key}"})
    status = connection.getresponse().status
    connection.close()
    assert status in (200, 404)
    return status == 200


def test_three_thousand_models_are_in_effect_on_every_worker(gateway, tmp_path):
    made = gateway.manage("create_key", "--email", "import@example.com", "--credit-usd", "1")
    key = made.stdout.split()[-1]
    last = f"maker/model-{MODELS - 1}"
    assert not knows(gateway.port, key, last)
    gateway.manage("import_channels", write(tmp_path, "2.50"))
    deadline = time.monotonic() + IN_EFFECT_S
    while not all(knows(gateway.port, key, last) for _ in range(CONNECTIONS)):
        assert time.monotonic() < deadline, "a worker has not heard of the import"
    again = gateway.manage("import_channels", write(tmp_path, "2.50"))
    assert again.stdout.startswith("new: 0 channels, 0 models, 0 aliases, 0 endpoints, 0 price")


def test_names_are_listed_once(gateway):
    made = gateway.manage("create_key", "--email", "list@example.com", "--credit-usd", "1")
    key = made.stdout.split()[-1]
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    connection.request("GET", "/v1/models", headers={"authorization": f"Bearer {key}"})
    names = [m["id"] for m in json.loads(connection.getresponse().read())["data"]]
    connection.close()
    assert len(names) == len(set(names)) == MODELS
