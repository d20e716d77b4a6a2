"""A catalogue of a few vendors, as this process serves it."""

import pytest

from bananarouter.pages.catalogue import standing
from routing import catalogue, channel_import, import_file
from routing.models import Channel

BASE = {"protocol": "openai-chat", "api_key": "sk-never-to-be-shown-0123456789"}
TEXT = {"input": "2", "cache_read": "0.2", "output": "8"}


def channel(name: str, vendor: str, models: list[dict], **fields) -> dict:
    url = f"https://{vendor}.example/v1"
    return {**BASE, "name": name, "vendor": vendor, "base_url": url, "models": models, **fields}


def model(name: str, prices: dict | None = None, **fields) -> dict:
    return {"name": name, "prices": prices or TEXT, **fields}


CHANNELS = [
    channel("us", "openai", [
        model("openai/alpha", context_tokens_max=128_000, output_tokens_max=16_384),
        model("openai/beta", {"input": "0.05", "output": "0.4"}, context_tokens_max=1_000_000),
        model("openai/vectors", {"input": "0.02"}),
    ]),
    channel("cn", "deepseek", [model("deepseek/gamma", {"input": "0.5", "output": "1.5"})]),
    channel("fr", "mistral", [
        model("openai/alpha", {"input": "3", "output": "9"}, context_tokens_max=64_000),
        model("mistral/ears", {"audio_duration": "0.36"}),
    ]),
    channel("demo", "demo", [model("demo/banana")]),
]  # fmt: skip


@pytest.fixture
def install():
    """Return `install(*channels)`, which imports them and serves them in this process."""

    def run(*channels: dict) -> None:
        channel_import.install(import_file.read({"channels": list(channels)}))
        catalogue.refresh()

    standing.forget()
    yield run
    # The database forgets by itself, the process does not.
    Channel.objects.all().delete()
    catalogue.refresh()
    standing.forget()


@pytest.fixture
def stocked(install):
    install(*CHANNELS)
