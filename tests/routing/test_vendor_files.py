"""Vendor files: complete, true to their form, and refused by name when they are not."""

import datetime as dt

import pytest

from billing import price_source
from billing.usage import UnitClass
from routing import checks, model_prices, vendor_files
from routing.models import Channel
from routing.surfaces import Family
from routing.vendor_files import BadVendorFile, all_vendors
from tests.routing.dialects import recordings

NAMED = {
    "openai", "azure-openai", "anthropic", "google", "google-vertex", "deepseek", "dashscope",
    "moonshot", "mistral", "xai", "groq", "together", "openrouter", "demo", "generic",
}  # fmt: skip

GOOD = """
name = "Acme"
author = "acme"
jurisdiction = "US"
on_disconnect = "stop"

[families.openai-chat]
base_url = "https://api.acme.example/v1"
auth = "bearer"

[data]
privacy_url = "https://acme.example/privacy"
terms_url = "unknown"
trains = "no"
retention = "30 days"
reviewed_on = 2026-11-23
"""


def write(tmp_path, text, name="acme.toml"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_every_named_vendor_has_a_file():
    assert set(all_vendors()) >= NAMED


def test_every_recorded_vendor_has_a_file_and_its_author():
    recorded = {path.stem for path in recordings.shared("wire").glob("*.jsonl")}
    assert recorded - set(all_vendors()) == set()


@pytest.mark.parametrize("vendor", all_vendors().values(), ids=lambda v: v.slug)
def test_a_vendor_file_states_what_the_policy_promises(vendor):
    assert vendor.privacy_url
    assert vendor.terms_url
    assert vendor.trains in vendor_files.TRAINS
    assert vendor.retention
    assert vendor.families
    for speech in vendor.families.values():
        local = ("http://localhost", "http://127.0.0.1")
        assert speech.base_url.startswith(("https://", *local))


@pytest.mark.parametrize("vendor", all_vendors().values(), ids=lambda v: v.slug)
def test_what_a_vendor_file_prices_and_offers_can_be_read(vendor):
    supplements = [*vendor.fees.items(), *(p for f in vendor.facts for p in f.prices.items())]
    assert all(isinstance(c, UnitClass) for c in price_source.supplements(supplements))
    assert all(price_source.knows_provider(provider) for provider in vendor.priced_by)
    family = next(iter(vendor.families))
    at = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    priced = [
        name
        for name in vendor.models
        if model_prices.of_vendor(name, vendor=vendor, family=family, at=at)
    ]
    assert priced == list(vendor.models)


def test_a_file_is_read_whole(tmp_path):
    text = (
        GOOD.replace('author = "acme"', 'author = "acme"\naliases = ["acme-ai"]')
        + '[quirks]\noutput_limit_field = "max_completion_tokens"\nreasoning_outside = true\n'
        + '[authors]\nllama = "meta-llama"\n[fees]\nweb_search = "10"\n'
        + '[[facts]]\nname = "m-1*"\noutput_tokens_max = 10\nprices = { audio_input = "3" }\n'
        + '[territory]\nrefuses = ["CN"]\n'
    )
    vendor = vendor_files.read(write(tmp_path, text))
    assert (vendor.slug, vendor.name, vendor.aliases) == ("acme", "Acme", ("acme-ai",))
    assert vendor.quirks.reasoning_outside
    assert vendor.quirks.output_limit_field == "max_completion_tokens"
    assert vendor.author_of("llama-3") == "meta-llama"
    assert vendor.author_of("other") == "acme"
    assert vendor.facts_of("m-1-large").output_tokens_max == 10
    assert vendor.facts_of("m-2") is None
    assert vendor.refuses == ("CN",)
    assert vendor.auth == vendor.auth_for(Family.OPENAI) == "bearer"
    assert vendor.auth_for(Family.ANTHROPIC) == "x-api-key"


@pytest.mark.parametrize(("old", "new", "text"), [
    ('name = "Acme"', "", "acme.toml: name: is missing"),
    ('name = "Acme"', "name = 5", "acme.toml: name: must be str"),
    ('name = "Acme"', 'name = " "', "acme.toml: name: is empty"),
    ('name = "Acme"', 'name = "Acme"\nnick = "A"', "acme.toml: file: does not know nick"),
    ('trains = "no"', "", "acme.toml: trains: is missing"),
    ('trains = "no"', 'trains = "perhaps"', "acme.toml: trains: must be one of no, operator"),
    ("reviewed_on = 2026-11-23", "", "acme.toml: reviewed_on: is missing"),
    ("reviewed_on = 2026-11-23", 'reviewed_on = "soon"', "acme.toml: reviewed_on: must be date"),
    ('terms_url = "unknown"', 'terms_url = "ask us"', "terms_url: must be an https URL, unknown"),
    ('retention = "30 days"', "", "acme.toml: retention: is missing"),
    ('"US"', '"usa!"', "acme.toml: jurisdiction: has the wrong form"),
    ("openai-chat", "smoke", "acme.toml: families: smoke is no family"),
    ('auth = "bearer"', 'auth = "wave"', "acme.toml: auth: must be one of api-key"),
    ("[data]", "[quirks]\nshouts = true\n[data]", "acme.toml: quirks.shouts: is no quirk"),
    ("[data]", '[quirks]\nreasoning_outside = "yes"\n[data]', "reasoning_outside: must be bool"),
    ("[data]", '[territory]\nrefuses = ["China"]\n[data]', "must hold ISO country codes"),
    ("[data]", "[fees]\nweb_search = 10\n[data]", "acme.toml: fees: must hold texts"),
    ("[data]", "[[facts]]\noutput_tokens_max = 1\n[data]", "acme.toml: name: is missing"),
    ("[data]", '[[abilities]]\nnames = ["m"]\ninputs = ["smell"]\n[data]',
     "acme.toml: abilities.inputs: does not know smell"),
    ("[data]", '[[abilities]]\nnames = ["m"]\nparameters = ["mood"]\n[data]',
     "acme.toml: abilities.parameters: does not know mood"),
    ("[data]", '[[abilities]]\nname = "m"\n[data]', "acme.toml: abilities: does not know name"),
    ("[data]", "[data", "acme.toml: "),
])  # fmt: skip
def test_a_bad_file_is_refused_by_file_and_field(tmp_path, old, new, text):
    assert old in GOOD
    with pytest.raises(BadVendorFile) as caught:
        vendor_files.read(write(tmp_path, GOOD.replace(old, new, 1)))
    assert text in str(caught.value)


def test_a_file_name_must_be_a_slug(tmp_path):
    with pytest.raises(BadVendorFile, match="file name"):
        vendor_files.read(write(tmp_path, GOOD, name="Acme Inc.toml"))


def test_other_names_of_a_vendor_find_its_file():
    assert vendor_files.get("kimi").slug == "moonshot"
    assert vendor_files.get("azure").slug == "azure-openai"
    assert vendor_files.known("nobody") is None


def test_a_vendor_without_a_file_is_generic_under_its_own_name():
    vendor = vendor_files.get("nobody")
    assert (vendor.slug, vendor.author, vendor.trains) == ("nobody", "nobody", "unknown")
    assert vendor.priced_by == ()
    assert vendor.quirks == all_vendors()["generic"].quirks


def test_the_files_pass_their_check_on_the_day_of_their_review():
    newest = max(vendor.reviewed_on for vendor in all_vendors().values())
    assert checks.reviewed(newest) == []


@pytest.mark.clause("3.1-policies")
def test_a_review_older_than_180_days_is_a_warning():
    oldest = min(vendor.reviewed_on for vendor in all_vendors().values())
    assert checks.reviewed(oldest + dt.timedelta(days=180)) == []
    late = checks.reviewed(oldest + dt.timedelta(days=181))
    assert late
    assert {message.id for message in late} == {"routing.W001"}


def test_how_long_content_is_kept_is_a_number_or_not_stated(tmp_path):
    told = GOOD.replace('retention = "30 days"', 'retention = "30 days"\nretention_days_max = 30')
    assert vendor_files.read(write(tmp_path, told)).retention_days_max == 30
    assert vendor_files.read(write(tmp_path, GOOD)).retention_days_max is None
    for wrong in ("-1", '"30"', "true"):
        with pytest.raises(BadVendorFile, match="retention_days_max"):
            vendor_files.read(write(tmp_path, told.replace("max = 30", f"max = {wrong}")))


def test_what_is_shown_of_a_policy_holds_no_notes_of_ours():
    for vendor in all_vendors().values():
        assert "[" not in vendor.retention
        assert vendor.retention_days_max is None or vendor.retention != "unknown"


@pytest.mark.clause("3.1-policies")
@pytest.mark.django_db
def test_an_open_vendor_of_unknown_policy_is_a_warning():
    def told() -> dict[str, str]:
        return {m.msg.split()[0]: m.id for m in checks.policies_are_known(databases=["default"])}

    assert told() == {}
    for vendor in ("openai", "demo", "deepseek", "nobody"):
        Channel.objects.create(
            name=vendor, vendor=vendor, protocol="openai-chat", base_url="https://x.example/v1"
        )
    assert told() == {"deepseek": "routing.W002", "nobody": "routing.W002"}
    Channel.objects.filter(vendor="nobody").update(is_enabled=False)
    assert told() == {"deepseek": "routing.W002"}
    assert checks.policies_are_known(databases=None) == []


def test_a_file_that_cannot_be_read_is_an_error(tmp_path, monkeypatch):
    write(tmp_path, GOOD.replace('trains = "no"', ""))
    monkeypatch.setattr(vendor_files, "FOLDER", tmp_path)
    all_vendors.cache_clear()
    try:
        [message] = checks.vendor_files_are_whole()
        assert message.id == "routing.E001"
        assert "trains: is missing" in message.msg
    finally:
        monkeypatch.undo()
        all_vendors.cache_clear()


def test_the_recorded_models_of_the_first_vendors_are_priced_by_their_own_vendor():
    at = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    unknown = set()
    for case in recordings.cases():
        vendor = all_vendors()[case["vendor"]]
        is_served = case["response"]["status"] == 200 and case["protocol"] != "openai-moderations"
        if vendor.slug in {"openai", "anthropic", "google", "deepseek", "xai"} and is_served:
            family = next(iter(vendor.families))
            if not model_prices.of_vendor(case["model"], vendor=vendor, family=family, at=at):
                unknown.add(case["model"])
    assert unknown == {"dall-e-2"}  # sold by the image, not by the token
