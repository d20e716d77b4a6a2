import pytest

from routing import seals
from routing.conversation import Audio, Document, Image, Reasoning, Refusal, SealFormat, Text, Video
from routing.errors import Code
from tests.routing.translators.anthropic_messages import making
from tests.routing.translators.anthropic_messages.making import (
    KEY,
    asking,
    assistant,
    body_of,
    call,
    encoded,
    refusal,
    result,
    results,
    user,
)

PNG = "iVBORw0KGgo="


def blocks(*parts, **quirks):
    return body_of(asking(user(*parts)), **quirks)["messages"][0]["content"]


def history(*parts, **quirks):
    turns = (user("a"), assistant(*parts, call()), results(result()))
    return body_of(asking(*turns), **quirks)["messages"][1]["content"][:-1]


def test_pictures_go_with_their_data_or_their_link():
    assert blocks(Image(mime="image/png", data=PNG), Image(url="https://a.example/x.png")) == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        {"type": "image", "source": {"type": "url", "url": "https://a.example/x.png"}},
    ]


def test_a_picture_with_a_wrong_type_is_told_by_its_bytes():
    (block,) = blocks(Image(mime="image/jpg", data=PNG))
    assert block["source"]["media_type"] == "image/png"


def test_a_picture_of_another_type_is_refused():
    error = refusal(encoded, asking(user(Image(mime="image/heic", data="AAAA"))))
    assert error.code is Code.UNSUPPORTED_IMAGE


def test_detail_is_dropped_and_named():
    request = asking(user(Image(mime="image/png", data=PNG, detail="low")))
    assert encoded(request).dropped == ("detail",)
    request = asking(user(Image(mime="image/png", data=PNG, detail="auto")))
    assert encoded(request).dropped == ()


def test_documents_go_with_what_is_said_about_them():
    assert blocks(
        Document(mime="application/pdf", data="JVBERi0=", name="a.pdf", wants_citations=True),
        Document(mime="text/csv", data="YSxi", title="T", context="C"),
        Document(text="words"),
        Document(url="https://a.example/x.pdf"),
        Document(mime="image/png", data=PNG),
    ) == [
        {"type": "document", "title": "a.pdf", "citations": {"enabled": True},
         "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}},
        {"type": "document", "title": "T", "context": "C",
         "source": {"type": "text", "media_type": "text/plain", "data": "a,b"}},
        {"type": "document",
         "source": {"type": "text", "media_type": "text/plain", "data": "words"}},
        {"type": "document", "source": {"type": "url", "url": "https://a.example/x.pdf"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("part", "param"),
    [
        (Audio(mime="audio/wav", data="AAAA"), "input_audio"),
        (Video(mime="video/mp4", data="AAAA"), "video"),
        (Document(mime="application/zip", data="UEsDBA=="), "file"),
    ],
)
def test_what_the_vendor_cannot_read_is_refused(part, param):
    error = refusal(encoded, asking(user(part)))
    assert (error.code, error.param) == (Code.UNSUPPORTED, param)


def test_links_are_refused_where_the_vendor_does_not_follow_them():
    for part in (Image(url="https://a.example/x.png"), Document(url="https://a.example/x.pdf")):
        assert refusal(encoded, asking(user(part)), takes_links=False).code is Code.UNSUPPORTED


def test_anthropics_seals_go_back_unaltered():
    redacted = making.Seal(format=SealFormat.ANTHROPIC, data="RXQ=", is_redacted=True)
    assert history(
        Reasoning(text="hm", format=SealFormat.ANTHROPIC, seal=making.claude_seal("c2ln")),
        Reasoning(format=SealFormat.ANTHROPIC, seal=redacted),
    ) == [
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "RXQ="},
    ]


def test_foreign_reasoning_is_no_history_and_no_envelope_reaches_the_vendor():
    found = history(
        Reasoning(text="secret", format=SealFormat.OPENAI, seal=making.openai_seal()),
        Reasoning(text="plain"),
        Text(text="a", seal=making.google_seal()),
        "b",
    )
    assert found == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    body = making.decoded(messages=[
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "x",
             "signature": seals.wrap(making.openai_seal(), key=KEY)},
            {"type": "thinking", "thinking": "y",
             "signature": seals.wrap(making.openai_seal(), key=b"other")},
            {"type": "text", "text": "b"},
        ]},
        {"role": "user", "content": "c"},
    ])  # fmt: skip
    assert b"br1." not in encoded(body).outbound.body


def test_another_vendor_of_this_format_may_open_other_seals():
    part = Reasoning(text="hm", format=SealFormat.OPENAI, seal=making.openai_seal())
    assert history(part, seal="openai-responses-v1")[0]["signature"] == making.openai_seal().data
    plain = Reasoning(text="hm")
    assert history(plain, reasoning_back_field="thinking") == [
        {"type": "thinking", "thinking": "hm", "signature": ""}
    ]


def test_a_refusal_in_the_history_is_text_and_pictures_there_are_dropped():
    picture = Image(mime="image/png", data=PNG)
    assert history(Refusal(text="No."), picture, Audio(transcript="said")) == [
        {"type": "text", "text": "No."},
        {"type": "text", "text": "said"},
    ]
    request = asking(user("a"), assistant("b", picture), user("c"))
    assert encoded(request).dropped == ("messages[].content",)
