"""The reference of the API: the document as a file, and as pages for people."""

import gzip
import html
import json

import pytest
from django.test import Client
from django.urls import reverse

from bananarouter.openapi import document, examples
from bananarouter.openapi.operation import Tag
from bananarouter.pages import api_docs
from routing.error_codes import Code
from routing.models import Channel
from tests import factories
from tests.bananarouter.test_pages_words import ASSETS_BYTES_MAX, inline

pytestmark = pytest.mark.django_db
TAGS = [tag.value for tag in Tag]


@pytest.fixture
def demo_vendor():
    return Channel.objects.create(
        name="demo", vendor="demo", protocol="openai-chat", base_url="http://x/v1", is_demo=True
    )


def test_the_document_is_public_cacheable_and_sets_no_cookie():
    response = Client().get("/api/openapi.json")
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    assert "public" in response["Cache-Control"]
    assert "max-age=300" in response["Cache-Control"]
    assert response["Access-Control-Allow-Origin"] == "*"
    assert "Cookie" not in response.get("Vary", "")
    assert not response.cookies
    assert json.loads(response.content)["openapi"] == "3.1.0"


def test_the_document_is_not_sent_twice_to_whoever_has_it(demo_vendor):
    first = Client().get("/api/openapi.json")
    again = Client().get("/api/openapi.json", headers={"if-none-match": first["ETag"]})
    assert again.status_code == 304
    assert again.content == b""
    assert Client().get("/api/openapi.json", headers={"if-none-match": '"x"'}).status_code == 200
    demo_vendor.delete()  # its examples go: another document
    changed = Client().get("/api/openapi.json", headers={"if-none-match": first["ETag"]})
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]


def test_the_document_is_compressed_for_those_who_read_it_so():
    response = Client().get("/api/openapi.json", headers={"accept-encoding": "gzip"})
    assert response["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in response["Vary"]
    assert json.loads(gzip.decompress(response.content))["openapi"] == "3.1.0"


def test_nothing_but_reading_is_allowed():
    assert Client().post("/api/openapi.json").status_code == 405
    assert Client().post(reverse("api_docs")).status_code == 405


def test_the_document_names_no_host():
    body = Client().get("/api/openapi.json").content
    assert b"testserver" not in body


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("tag", TAGS)
def test_the_page_of_a_protocol_is_strict_and_small(tag, language, django_assert_max_num_queries):
    url = reverse("api_protocol", args=[tag])
    with django_assert_max_num_queries(3):
        response = Client().get(url, headers={"accept-language": language})
    assert response.status_code == 200
    page = response.content.decode()
    assert "unsafe" not in response["Content-Security-Policy"]
    assert inline(page) == []
    assert f'<html lang="{language}">' in page
    assert page.count("<h1") == 1
    assert len(gzip.compress(response.content)) < ASSETS_BYTES_MAX / 2
    assert 'aria-current="page"' in page
    assert ("必填" in page) == (language == "zh-hans")


def test_a_protocol_that_nobody_speaks_is_not_found():
    assert Client().get("/docs/api/fax").status_code == 404


def test_every_operation_is_shown_with_its_examples(demo_vendor):
    pages = {
        tag: Client().get(reverse("api_protocol", args=[tag])).content.decode() for tag in TAGS
    }
    index = Client().get(reverse("api_docs")).content.decode()
    for one in document.described():
        page = pages[one.tag]
        assert one.route.path in page
        if not one.is_home:
            continue
        assert f'id="{one.id}"' in page
        assert f"{reverse('api_protocol', args=[one.tag])}#{one.id}" in index
        place = {"method": one.method, "path": one.route.path, "origin": "http://testserver"}
        assert one.operation.examples, one.id
        for example in one.operation.examples:
            for write in (examples.curl, examples.python):
                text = write(one.operation, example, is_demo=True, **place)
                assert html.escape(text) in page, (one.id, example.name)


def test_ids_on_a_page_are_unique():
    for tag in TAGS:
        page = Client().get(reverse("api_protocol", args=[tag])).content.decode()
        ids = [part.partition('"')[0] for part in page.split(' id="')[1:]]
        assert len(ids) == len(set(ids)), tag


def test_the_index_tells_every_error_in_the_readers_language():
    english, chinese = (
        Client().get(reverse("api_docs"), headers={"accept-language": each}).content.decode()
        for each in ("en", "zh-hans")
    )
    for code in Code:
        assert f"<code>{code.value}</code>" in english
    assert "Too many requests, at once or in a minute." in english
    assert "Too many requests" not in chinese.partition("<table>")[2]
    assert "请求" in chinese


def test_models_of_the_demo_are_in_examples_only_where_it_runs(demo_vendor):
    url = reverse("api_protocol", args=["openai"])
    assert "demo/fast" in Client().get(url).content.decode()
    demo_vendor.delete()
    assert "demo/" not in Client().get(url).content.decode()


def test_every_protocol_has_its_title_and_lead():
    assert set(api_docs.TITLES) == set(api_docs.LEADS) == set(Tag)


@pytest.mark.parametrize("name", ["home", "account_login", "api_docs"])
def test_the_reference_is_linked_for_strangers(name):
    page = Client().get(reverse(name)).content.decode()
    assert f'href="{reverse("api_docs")}"' in page


def test_members_read_it_in_their_shell_uncached_and_strangers_see_no_account():
    alice = factories.user("alice")
    client = Client()
    client.force_login(alice)
    response = client.get(reverse("api_docs"))
    page = response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert 'class="rail"' in page
    assert f'href="{reverse("guide")}" aria-current="page"' in page
    stranger = Client().get(reverse("api_docs")).content.decode()
    assert 'class="rail"' not in stranger
    assert "alice" not in stranger
