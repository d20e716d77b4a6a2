"""What notices say: every template in every language, whole and without markup."""

from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation

from accounts import notice_words, owners
from accounts.models import Account, Notification

FOLDER = Path(settings.BASE_DIR) / "templates" / "notices"
NAMES = sorted(path.stem for path in FOLDER.glob("*.txt"))


class Facts(dict):
    """Answers every name, so that a template shows what it asks for."""

    def __contains__(self, name) -> bool:
        return name not in {"True", "False", "None"}

    def __missing__(self, name):
        return f"<{name}>"


def words(name: str, language: str) -> notice_words.Words:
    with translation.override(language):
        return notice_words.of(Notification(name=name, facts=Facts(), path="/billing"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("language", [code for code, _ in settings.LANGUAGES])
def test_every_notice_has_a_title_a_text_and_a_link(name, language):
    found = words(name, language)
    assert 0 < len(found.title) <= 70
    assert found.paragraphs
    assert found.action
    assert found.url == f"{settings.PUBLIC_URL}/billing"
    assert not any(mark in found.text for mark in ("{%", "{{", "%(", "&lt;", "\n\n\n"))


@pytest.mark.parametrize("name", NAMES)
def test_every_notice_says_the_same_facts_in_both_languages(name):
    facts = [
        # A country has its name in each language.
        sorted(
            part.split(">")[0].removesuffix(ending)
            for part in words(name, language).text.split("<")[1:]
        )
        for language, ending in (("en", "_en"), ("zh-hans", "_zh"))
    ]
    assert facts[0] == facts[1]


@pytest.mark.django_db
def test_where_no_language_is_known_the_country_tells():
    alice = owners.register(email="alice@example.com")
    assert notice_words.language_of(alice) == "en"
    account = owners.own_account(alice)
    Account.objects.filter(pk=account.pk).update(country="CN")
    assert notice_words.language_of(alice) == "zh-hans"
    alice.language = "en"
    assert notice_words.language_of(alice) == "en"
    alice.language = "xx"
    assert notice_words.language_of(alice) == "zh-hans"
