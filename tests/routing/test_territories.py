import pytest

from accounts import territories as rules
from routing import catalogue, channel_import, import_file, territories
from routing.models import Channel

pytestmark = pytest.mark.django_db


@pytest.fixture
def offer():
    """Return `offer(*vendors)`: import a channel of each, with one model, and serve them."""

    def run(*vendors: str) -> None:
        channels = [
            {
                "name": vendor, "vendor": vendor, "protocol": "openai-chat", "api_key": "sk-1",
                "base_url": f"https://{vendor}.example/v1",
                "models": [{"name": f"{vendor}/m", "prices": {"input": "1", "output": "1"}}],
            }
            for vendor in vendors
        ]  # fmt: skip
        channel_import.install(import_file.read({"channels": channels}))
        catalogue.refresh()

    yield run
    Channel.objects.all().delete()
    catalogue.refresh()


def test_a_vendor_that_sells_everywhere_closes_nothing(offer):
    offer("deepseek")
    assert territories.closed() == {}


def test_only_vendors_on_offer_close_countries(offer):
    offer("openai", "deepseek")
    closed = territories.closed()
    assert list(closed) == ["OpenAI"]
    assert "CN" in closed["OpenAI"]
    assert rules.closed() == closed
