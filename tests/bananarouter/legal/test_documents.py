"""The legal documents: whole in both languages, versioned, and true to what they promise."""

import datetime as dt
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.urls import reverse

from accounts import policies
from accounts.models import PolicyVersion
from bananarouter.pages.legal import documents

NOW = dt.datetime(2026, 11, 27, 12, tzinfo=dt.UTC)
CLAUSES_FILE = Path(settings.BASE_DIR).parent / "shared" / "policy-clauses.md"
# Every promise of the published policy.
CLAUSES = re.findall(r"\S+", """
1.1-email 1.1-name 1.1-password 1.1-phone 1.2-metadata 1.2-content 1.2-law 1.2-debug 1.2-training
1.3-processors 1.3-card 1.3-records 2-keys 2-route 2-billing 2-monitor 2-abuse 2-failures
2-notify-service 2-notify-topup 2-notify-security 2-legal 3.1-forward 3.1-policies 3.2-noncontent
3.3-legal 4.1-regions 4.1-olap 4.2-tls 4.2-keys 4.2-access 4.3-retention 4.3-legal-hold 5-access
5-delete 6-crossborder 6-transfer 7-updates 8-contact
""")  # fmt: skip
# Promises whose machinery is not built, wholly or in part: each says so where it stands.
# Take one out together with its note, and give the document a new version.
PENDING = re.findall(r"\S+", """
2-legal 4.1-regions
""")  # fmt: skip


def source(document, language):
    folder = Path(settings.BASE_DIR) / "templates"
    latest = documents.VERSIONS[document][0].number
    return (folder / documents.template(document, latest, language)).read_text()


def anchors(document, language):
    return re.findall(r' id="([^"]+)"', source(document, language))


def clauses(text):
    """Each clause of a text by its id."""
    parts = re.split(r'<div class="clause" id="([^"]+)">', text)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.mark.parametrize("document", documents.VERSIONS)
def test_both_languages_have_the_same_anchors_in_the_same_order(document):
    english, chinese = (anchors(document, language) for language in documents.LANGUAGES)
    assert english == chinese
    assert len(english) == len(set(english)) > 4


@pytest.mark.parametrize("language", documents.LANGUAGES)
def test_every_clause_stands_in_the_policy(language):
    assert list(clauses(source("privacy", language))) == CLAUSES


def test_the_list_of_clauses_is_that_of_the_specification():
    if not CLAUSES_FILE.is_file():
        pytest.skip("no ../shared/policy-clauses.md beside this copy of the repository")
    wanted = re.findall(r"^\| (\d[\w.-]+) \|", CLAUSES_FILE.read_text(), re.MULTILINE)
    assert wanted == CLAUSES


@pytest.mark.parametrize(("language", "words"), [("en", "Not in force yet"), ("zh", "尚未生效")])
def test_a_promise_that_is_not_kept_yet_says_so(language, words):
    found = clauses(
        re.sub(
            r"\{% if not is_https %\}.*?\{% endif %\}",
            "",
            source("privacy", language),
            flags=re.DOTALL,
        )
    )
    told = [name for name, text in found.items() if f'class="pending"><strong>{words}' in text]
    assert told == PENDING


@pytest.mark.parametrize(
    ("document", "version"),
    [(name, one) for name, versions in documents.VERSIONS.items() for one in versions],
    ids=lambda value: getattr(value, "number", value),
)
def test_a_changed_text_has_a_version_of_its_own(document, version):
    """Older texts stay as they were: whoever agreed to one can read it."""
    assert documents.sha256(document, version.number) == version.sha256, (
        f"{document} changed: put a new version with its own files first in documents.py"
    )


@pytest.mark.parametrize("document", documents.VERSIONS)
def test_versions_are_ordered_and_unique(document):
    versions = documents.VERSIONS[document]
    numbers = [int(version.number) for version in versions]
    assert numbers == sorted(set(numbers), reverse=True)
    days = [version.effective_on for version in versions]
    assert days == sorted(days, reverse=True)
    assert all(version.summary for version in versions)


def test_no_sentence_is_copied_from_elsewhere():
    """The policy that this one was conceived from; ours is in our own words."""
    seeds = CLAUSES_FILE.parent / "seed"
    if not seeds.is_dir():
        pytest.skip("no ../shared/seed beside this copy of the repository")
    given = " ".join(path.read_text() for path in seeds.glob("*.txt"))
    ours = re.sub(r"<[^>]+>", "", source("privacy", "en"))
    sentences = {s.strip() for s in re.split(r"[.:;\n]", given) if len(s.split()) >= 6}
    assert len(sentences) > 20
    assert [sentence for sentence in sentences if sentence in ours] == []


@pytest.mark.django_db
def test_all_versions_are_published_once():
    documents.publish_all(now=NOW)
    documents.publish_all(now=NOW)
    assert PolicyVersion.objects.count() == sum(map(len, documents.VERSIONS.values()))
    for document, versions in documents.VERSIONS.items():
        current = policies.current(document, NOW)
        assert (current.version, current.sha256) == (versions[0].number, versions[0].sha256)


@pytest.mark.django_db
def test_the_command_publishes_and_refuses_a_changed_text(capsys):
    call_command("publish_policies")
    assert capsys.readouterr().out.splitlines() == [
        f"{document} {versions[0].number}" for document, versions in documents.VERSIONS.items()
    ]
    PolicyVersion.objects.filter(document="terms").update(sha256="0" * 64)
    with pytest.raises(CommandError, match="terms 1 was published with another text"):
        call_command("publish_policies")


@pytest.mark.django_db
@pytest.mark.parametrize("document", documents.VERSIONS)
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_page_shows_text_version_and_history(document, language, django_assert_max_num_queries):
    documents.publish_all(now=NOW)
    with django_assert_max_num_queries(2):
        response = Client().get(reverse(document), headers={"accept-language": language})
    page = response.content.decode()
    latest = documents.VERSIONS[document][0]
    assert latest.sha256 in page
    assert latest.effective_on.isoformat() in page
    for anchor in re.findall(r'href="#([^"]+)"', page):
        assert f'id="{anchor}"' in page, anchor
    assert page.count('<li><a href="#') >= 5
    assert "{{" not in page
    assert ("Contents" in page) == ("First version." in page) == (language == "en")


@pytest.mark.django_db
def test_the_policy_prints_what_is_really_set(settings):
    settings.LOG_RETENTION_DAYS = 17
    settings.OPERATOR_NAME, settings.OPERATOR_ADDRESS = "Plátano & Co", "Pier 3, Port Louis"
    settings.CONTACT_EMAIL = "desk@example.com"
    page = Client().get(reverse("privacy")).content.decode()
    assert page.count("17 days") >= 2
    assert "30 days</td>" not in page
    assert "Plátano &amp; Co, Pier 3, Port Louis" in page
    assert "mailto:desk@example.com" in page


@pytest.mark.django_db
def test_a_site_without_tls_says_so(settings):
    told = "Not in force on this installation"
    assert told in Client().get(reverse("privacy")).content.decode()
    settings.HTTPS = True
    assert told not in Client().get(reverse("privacy")).content.decode()
