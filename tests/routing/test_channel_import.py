"""import_channels: all or nothing, idempotent, named errors, fast."""

import datetime as dt
import json

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import Change
from billing import rates
from billing.models import RateCard
from billing.usage import UnitClass
from routing import catalogue, channel_import, credentials, import_file
from routing.import_file import ImportRefused
from routing.models import Channel, Endpoint, Model, ModelAlias
from routing.surfaces import Family

pytestmark = pytest.mark.django_db

KEY = "sk-test-0123456789abcdef-WXYZ"


def channel(**changes):
    return {
        "name": "main",
        "vendor": "openai",
        "protocol": "openai-chat",
        "base_url": "http://127.0.0.1:9/v1",
        "api_key": KEY,
        "models": ["gpt-4o"],
        **changes,
    }


def run(*channels):
    return channel_import.run(json.dumps({"channels": channels}))


def card(slug):
    rates.load()
    return rates.card_for(slug, at=timezone.now() + dt.timedelta(seconds=1))


def price(slug, unit_class, *, tier="standard"):
    return card(slug).rate(unit_class, prompt_tokens=1, service_tier=tier)


def test_a_bare_name_gets_the_vendors_author_and_stays_an_alias():
    report = run(channel())
    assert (report.channels, report.models, report.endpoints, report.prices) == (1, 1, 1, 1)
    assert Model.objects.get().slug == "openai/gpt-4o"
    assert ModelAlias.objects.get().name == "gpt-4o"
    row = Endpoint.objects.get()
    assert (row.slug, row.upstream_name, row.priced_as) == (
        "main:openai/gpt-4o", "gpt-4o", "gpt-4o",
    )  # fmt: skip
    assert (row.context_tokens_max, row.output_tokens_max) == (128_000, 16_384)


def test_names_with_slashes_are_canonical_as_they_are():
    run(channel(vendor="together", models=["meta-llama/Llama-3.3-70B-Instruct-Turbo"]))
    assert Model.objects.get().slug == "meta-llama/Llama-3.3-70B-Instruct-Turbo"
    assert not ModelAlias.objects.exists()


def test_one_slug_on_several_channels_is_one_model_with_several_endpoints():
    run(
        channel(name="a"),
        channel(name="b", vendor="azure-openai", priority=1),
        channel(name="c", models=[{"name": "openai/gpt-4o", "upstream_name": "gpt-4o-2024-08-06"}]),
    )
    assert Model.objects.count() == 1
    catalogue.refresh()
    model = catalogue.current().resolve("gpt-4o")
    assert [e.channel.name for e in model.endpoints] == ["b", "a", "c"]
    assert catalogue.current().resolve("gpt-4o-2024-08-06") is model


def test_a_bare_name_that_is_taken_keeps_its_meaning_and_the_report_says_so():
    run(channel())
    report = run(channel(name="other", vendor="acme", models=[
        {"name": "gpt-4o", "prices": {"input": "1", "output": "2"}},
    ]))  # fmt: skip
    assert set(Model.objects.values_list("slug", flat=True)) == {"openai/gpt-4o", "acme/gpt-4o"}
    assert ModelAlias.objects.get().model.slug == "openai/gpt-4o"
    assert any("gpt-4o goes on meaning openai/gpt-4o" in line for line in report.warnings)


def test_authors_follow_the_vendor_files_prefixes():
    run(channel(vendor="azure-openai", models=["grok-3", "gpt-4o"]))
    assert set(Model.objects.values_list("slug", flat=True)) == {"x-ai/grok-3", "openai/gpt-4o"}


def test_an_unknown_vendor_is_generic_with_a_warning_and_has_no_prices_of_its_own():
    report = run(channel(vendor="acme", models=["gpt-4o"]))
    assert any(
        line.startswith("channels[0].vendor: no file tells of acme") for line in report.warnings
    )
    assert any("acme/gpt-4o has no price" in line for line in report.warnings)
    assert not RateCard.objects.exists()
    assert Endpoint.objects.get().priced_as == ""


def test_a_resellers_price_is_never_taken_from_the_maker():
    run(channel(vendor="groq", models=["openai/gpt-4o", "openai/gpt-oss-120b"]))
    priced = set(RateCard.objects.values_list("endpoint", flat=True))
    assert priced == {"main:openai/gpt-oss-120b"}


@pytest.mark.parametrize("reference", ["gpt-4o", "openai/gpt-4o"])
def test_priced_as_names_any_known_model(reference):
    run(channel(vendor="acme", models=[{"name": "m-1", "priced_as": reference}]))
    rate = price("main:acme/m-1", UnitClass.INPUT)
    assert rate.vendor_nusd_per_unit == 2_500_000_000
    assert rate.nusd_per_unit == 2_625_000_000  # 5% on top
    assert Endpoint.objects.get().context_tokens_max == 128_000


def test_stated_prices_hold_before_markup_and_the_rest_is_derived():
    prices = {"input": "2.50", "output": "10", "cache_read": "0.000000001", "web_search": "4"}
    run(channel(models=[{"name": "m", "prices": prices}]))
    slug = "main:openai/m"
    assert price(slug, UnitClass.OUTPUT).vendor_nusd_per_unit == 10 * 10**9
    assert price(slug, UnitClass.REASONING).vendor_nusd_per_unit == 10 * 10**9
    assert price(slug, UnitClass.IMAGE_INPUT).vendor_nusd_per_unit == 2_500_000_000
    cached = price(slug, UnitClass.CACHE_READ)
    assert (cached.vendor_nusd_per_unit, cached.nusd_per_unit) == (1, 2)  # rounded up
    search = price(slug, UnitClass.WEB_SEARCH)
    assert (search.unit.value, search.vendor_nusd_per_unit) == ("thousand", 4 * 10**9)
    assert (UnitClass.AUDIO_INPUT, "standard") not in card(slug).rates
    assert Endpoint.objects.get().priced_as == ""


def test_anthropics_writes_cost_more_where_nobody_says_what():
    run(channel(vendor="anthropic", protocol="anthropic-messages", models=[
        {"name": "claude-x", "prices": {"input": "4", "output": "20"}},
    ]))  # fmt: skip
    slug = "main:anthropic/claude-x"
    assert price(slug, UnitClass.CACHE_WRITE_5M).vendor_nusd_per_unit == 5 * 10**9
    assert price(slug, UnitClass.CACHE_WRITE_1H).vendor_nusd_per_unit == 8 * 10**9


def test_importing_again_changes_and_announces_nothing():
    run(channel())
    blob = bytes(Channel.objects.get().credential)
    announced = Change.objects.count()
    report = run(channel())
    assert not report.is_change
    assert bytes(Channel.objects.get().credential) == blob
    assert RateCard.objects.count() == 1
    assert Change.objects.count() == announced


def test_an_import_announces_the_catalogue_once():
    run(channel(), channel(name="second", models=["gpt-4o", "gpt-4o-mini"]))
    assert list(Change.objects.values_list("topic", flat=True)) == ["catalogue"]


def test_importing_adds_and_keeps_what_the_file_does_not_mention():
    run(channel(priority=5, jurisdiction="eu"))
    report = run(channel(models=["gpt-4o-mini"], api_key=None, base_url="http://localhost:8/v1"))
    assert (report.channels, report.models, report.endpoints) == (0, 1, 1)
    row = Channel.objects.get()
    assert (row.priority, row.jurisdiction, row.base_url) == (5, "EU", "http://localhost:8/v1")
    assert credentials.is_secret(row, KEY)
    assert Endpoint.objects.count() == 2


def test_a_new_price_is_a_new_card_and_the_old_one_stays():
    run(channel(models=[{"name": "m", "prices": {"input": "1", "output": "2"}}]))
    before = timezone.now()
    run(channel(models=[{"name": "m", "prices": {"input": "3", "output": "2"}}]))
    rates.load()
    assert RateCard.objects.count() == 2
    old = rates.card_for("main:openai/m", at=before)
    new = rates.card_for("main:openai/m", at=timezone.now())
    assert [
        c.rate(UnitClass.INPUT, prompt_tokens=1, service_tier="standard").vendor_nusd_per_unit
        for c in (old, new)
    ] == [10**9, 3 * 10**9]


def test_prices_announced_for_a_later_day_are_dated_cards():
    run(channel(vendor="google", protocol="gemini", models=["models/gemini-4-argon"]))
    row = Endpoint.objects.get()
    assert (row.model.slug, row.upstream_name) == ("google/gemini-4-argon", "gemini-4-argon")
    rates.load()
    moments = list(RateCard.objects.order_by("valid_from").values_list("valid_from", flat=True))
    if timezone.now() < dt.datetime(2026, 12, 1, tzinfo=dt.UTC):
        assert moments[-1] == dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
        # Withdrawn by the operator: the announced card is superseded at its own moment.
        run(channel(vendor="google", protocol="gemini", models=[
            {"name": "gemini-4-argon", "prices": {"input": "1", "output": "2"}},
        ]))  # fmt: skip
        rates.load()
        later = rates.card_for(row.slug, at=dt.datetime(2027, 1, 1, tzinfo=dt.UTC))
        rate = later.rate(UnitClass.INPUT, prompt_tokens=1, service_tier="standard")
        assert rate.vendor_nusd_per_unit == 10**9


@pytest.mark.parametrize(
    ("name", "unit_class", "unit"),
    [
        ("characters", UnitClass.CHARACTERS, "mchar"),
        ("input_mchars", UnitClass.CHARACTERS, "mchar"),
        ("audio_duration", UnitClass.AUDIO_DURATION, "hour"),
        ("input_audio_hours", UnitClass.AUDIO_DURATION, "hour"),
        ("image", UnitClass.IMAGE, "thousand"),
        ("search_unit", UnitClass.SEARCH_UNIT, "thousand"),
    ],
)
def test_other_measures_than_tokens_need_no_input(name, unit_class, unit):
    run(channel(models=[{"name": "acme/m", "prices": {name: "0.36"}}]))
    rate = price("main:acme/m", unit_class)
    assert (rate.unit, rate.vendor_nusd_per_unit) == (unit, 360_000_000)


@pytest.mark.parametrize("name", [
    "openai-chat", "openai-responses", "openai-embeddings", "openai-images", "openai-moderations",
    "openai-input-tokens", "anthropic-messages", "anthropic-count-tokens", "gemini",
    "gemini-count-tokens", "gemini-embed",
])  # fmt: skip
def test_every_protocol_name_means_a_family(name):
    [entry] = import_file.read({"channels": [channel(protocol=name)]})
    assert entry.family is Family(
        {"o": "openai-chat", "a": "anthropic-messages", "g": "gemini"}[name[0]]
    )


WRONG = [
    ({"name": ""}, "channels[0].name: must be"),
    ({"vendor": None}, "channels[0].vendor: is missing"),
    ({"vendor": "no vendor"}, "channels[0].vendor: must be letters"),
    ({"protocol": "smoke"}, "channels[0].protocol: must be one of openai-chat"),
    ({"base_url": "http://example.com/v1"}, "channels[0].base_url: must be https"),
    ({"base_url": "http://10.0.0.1/v1"}, "channels[0].base_url: must be https"),
    ({"base_url": "ftp://example.com"}, "channels[0].base_url: must begin with https"),
    ({"base_url": "https://u:p@example.com"}, "channels[0].base_url: must hold no credential"),
    ({"base_url": "https://[::1"}, "channels[0].base_url: is no URL"),
    ({"api_key": "two\nlines"}, "channels[0].api_key: a credential is one line"),
    ({"api_key": 5}, "channels[0].api_key: must be a text"),
    ({"priority": True}, "channels[0].priority: must be an integer"),
    ({"priorty": 1}, "channels[0]: does not know priorty; allowed: name, vendor"),
    ({"models": "gpt-4o"}, "channels[0].models: must be a list"),
    ({"models": [5]}, "channels[0].models[0]: must be an object"),
    ({"models": [""]}, "channels[0].models[0].name: must be a text of the form"),
    ({"models": ["a//b"]}, "channels[0].models[0].name: has an empty part"),
    ({"models": ["gpt-4o", "gpt-4o"]}, "channels[0].models[1]: openai/gpt-4o is there already"),
    ({"models": ["gpt-4o", "openai/gpt-4o"]}, "channels[0].models[1]: openai/gpt-4o is there"),
    ({"models": [{"name": "m", "prices": {"inptu": "1"}}]},
     "channels[0].models[0].prices.inptu: is no class; allowed: input, cache_read"),
    ({"models": [{"name": "m", "prices": {"input": 2.5}}]}, "prices.input: must be a text"),
    ({"models": [{"name": "m", "prices": {"input": "-1"}}]}, "prices.input: must not be negative"),
    ({"models": [{"name": "m", "prices": {"input": "NaN"}}]}, "prices.input: must be US dollars"),
    ({"models": [{"name": "m", "prices": {"input": "0.0000000001"}}]}, "at most nine decimals"),
    ({"models": [{"name": "m", "prices": {"output": "1"}}]}, "prices.input: is missing"),
    ({"models": [{"name": "m", "prices": {"audio_duration": "1", "input_audio_hours": "1"}}]},
     "prices.input_audio_hours: prices a class a second time"),
    ({"models": [{"name": "m", "prices": {"input": "1", "audio_input": "1", "input_audio": "1"}}]},
     "prices.input_audio: prices a class a second time"),
    ({"models": [{"name": "m", "priced_as": "no-such-model"}]},
     "channels[0].models[0].priced_as: no price of no-such-model is known"),
    ({"models": ["demo/x"]}, "demo/ models live on channels of the vendor demo, only"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "text"), WRONG)
def test_refuses_naming_the_place_and_leaves_nothing_behind(changes, text):
    with pytest.raises(ImportRefused) as caught:
        run(channel(**changes), channel(name="second"))
    assert text in str(caught.value)
    assert KEY not in str(caught.value)
    assert not Channel.objects.exists()
    assert not Model.objects.exists()
    assert not Change.objects.exists()


@pytest.mark.parametrize(("text", "place"), [
    ("{", "line 1 column 2"),
    ('{"channels": [], "channels": []}', "holds 'channels' twice"),
    ("[]", "file: must be an object"),
    ('{"channels": {}}', "channels: must be a list"),
    ('{"channels": [], "more": 1}', "file: does not know more"),
    ("[" * 100_000, "no JSON"),
    (b"\xff\xfe\xff", "no JSON"),
])  # fmt: skip
def test_refuses_text_that_is_no_import(text, place):
    with pytest.raises(ImportRefused, match=place):
        channel_import.run(text)


def test_refuses_two_channels_of_one_name():
    with pytest.raises(ImportRefused, match=r"channels\[1\]: another channel has this name"):
        run(channel(), channel())


def test_demo_channels_are_marked_as_such():
    run(channel(vendor="demo", models=[{"name": "echo", "prices": {"input": "1", "output": "1"}}]))
    assert Channel.objects.get().is_demo
    assert Model.objects.get().slug == "demo/echo"


def test_a_vendors_key_alone_makes_its_channel():
    report = channel_import.seed_vendor("anthropic", KEY)
    assert report.models >= 5
    assert report.warnings == []
    row = Channel.objects.get()
    assert (row.name, row.protocol) == ("anthropic-environment", "anthropic-messages")
    assert (row.base_url, row.is_demo) == ("https://api.anthropic.com", False)
    assert not channel_import.seed_vendor("anthropic", KEY).is_change
    catalogue.refresh()
    [endpoint] = catalogue.current().resolve("claude-sonnet-4-5").endpoints
    assert endpoint.channel.auth_headers == {"x-api-key": KEY}


def test_the_command_reads_a_file_and_tells_what_is_wrong(tmp_path, capsys):
    file = tmp_path / "channels.json"
    file.write_text(json.dumps({"channels": [channel()]}))
    call_command("import_channels", str(file))
    assert "new: 1 channels, 1 models" in capsys.readouterr().out
    file.write_text("{")
    with pytest.raises(CommandError, match="line 1 column 2"):
        call_command("import_channels", str(file))
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_channels", str(tmp_path / "none.json"))


def test_prices_are_synchronized_where_the_source_sets_them(capsys):
    run(channel(models=["gpt-4o", {"name": "own", "prices": {"input": "1", "output": "1"}}]))
    call_command("sync_prices")
    assert "1 endpoints looked up, 0 cards are new" in capsys.readouterr().out
    RateCard.objects.filter(endpoint="main:openai/gpt-4o").update(plan="other")
    call_command("sync_prices")
    assert "main:openai/gpt-4o: new prices from" in capsys.readouterr().out
    assert RateCard.objects.filter(plan="default").count() == 2


def test_three_thousand_models_come_in_one_call():
    models = [{"name": f"gpt-4o-{n:05}", "priced_as": "gpt-4o"} for n in range(3_000)]
    report = run(channel(models=models))
    catalogue.refresh()
    assert (report.models, report.prices, len(catalogue.current().models)) == (3_000,) * 3
