"""Mails of all kinds, and bytes that are none, are read as text or refused, quickly."""

import contextlib
import time
from email.message import EmailMessage

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import contact, mail_text

LIMIT_S = 3.0


def mail(text="Hello", *, html=None, attachment=None, **headers):
    message = EmailMessage()
    fields = {
        "From": "Eve Ott <eve@example.com>", "To": "contact@example.com", "Subject": "Hi",
        "Message-ID": "<1@example.com>", **headers,
    }  # fmt: skip
    for name, value in fields.items():
        message[name] = value
    if text is not None:
        message.set_content(text)
    if html is not None:
        (message.add_alternative if text is not None else message.set_content)(html, subtype="html")
    if attachment is not None:
        message.add_attachment(attachment, maintype="image", subtype="png", filename="x.png")
    return message.as_bytes()


def raw(head, body=b""):
    return head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + body


def test_reads_who_what_and_to_whom():
    found = mail_text.read(mail("Good day.\n"))
    assert (found.sender, found.sender_name) == ("eve@example.com", "Eve Ott")
    assert (found.subject, found.text, found.mail_id) == ("Hi", "Good day.", "<1@example.com>")
    assert found.recipients == ("contact",)
    assert not found.is_automatic


def test_reads_encoded_words_and_chinese():
    found = mail_text.read(
        mail("你好。请删除我的账户。", Subject="账户问题", From="王芳 <wf@example.cn>")
    )
    assert (found.subject, found.sender_name) == ("账户问题", "王芳")
    assert found.text == "你好。请删除我的账户。"


@pytest.mark.parametrize(
    ("charset", "text"),
    [("gb2312", "你好"), ("GBK", "你好"), ("big5", "你好"), ("iso-2022-jp", "こんにちは"),
     ("windows-1252", "déjà"), ("koi8-r", "привет"), ("utf-8", "emoji: ✓")],
)  # fmt: skip
def test_reads_older_charsets(charset, text):
    head = f"From: a@example.com\nContent-Type: text/plain; charset={charset}".encode()
    assert mail_text.read(raw(head, text.encode(charset))).text == text


@pytest.mark.parametrize("charset", ["x-unknown", "punycode", "zlib", "idna", "rot13", "", "\x00"])
def test_an_unknown_charset_is_read_as_utf_8(charset):
    head = f'From: a@example.com\nContent-Type: text/plain; charset="{charset}"'.encode()
    assert mail_text.read(raw(head, "déjà".encode())).text == "déjà"
    assert "�" in mail_text.read(raw(head, "déjà".encode("latin-1"))).text


def test_without_any_header_of_content_it_is_plain():
    assert mail_text.read(raw(b"From: a@example.com", b"Just text")).text == "Just text"


def test_html_alone_becomes_text():
    html = (
        "<html><head><style>p{color:red}</style><title>T</title></head><body><p>One &amp; two</p>"
        "<script>alert(1)</script><div>three<br>four</div></body>"
    )
    found = mail_text.read(mail(None, html=html)).text
    assert found.split("\n\n") == ["One & two", "three\nfour"]
    assert "alert" not in found


def test_html_beside_plain_text_is_not_read_twice():
    assert mail_text.read(mail("plain", html="<p>marked up</p>")).text == "plain"


def test_attachments_are_dropped_with_a_note():
    found = mail_text.read(mail("See picture.", attachment=b"\x89PNG-canary")).text
    assert found == "See picture.\n\n[Attachments that are not kept: 1]"


def test_a_mail_within_the_mail_is_an_attachment():
    outer = EmailMessage()
    outer["From"] = "a@example.com"
    outer.set_content("Forwarded.")
    inner = EmailMessage()
    inner["Subject"] = "secret"
    inner.set_content("inner words")
    outer.add_attachment(inner)
    found = mail_text.read(outer.as_bytes()).text
    assert "inner words" not in found
    assert found.endswith("[Attachments that are not kept: 1]")


def test_a_long_mail_is_cut_with_a_note():
    found = mail_text.read(mail("word " * 20_000)).text
    assert len(found) <= contact.TEXT_CHARS_MAX
    assert found.endswith("[The rest of this mail was too long and is not kept.]")


def test_the_quoted_end_of_a_reply_is_dropped():
    found = mail_text.read(mail("Thanks.\n\n> We wrote:\n> something\n"))
    assert found.text == "Thanks."


def test_control_characters_are_taken_out():
    head = b"From: a@example.com\nSubject: a\x00b\x1bc"
    found = mail_text.read(raw(head, "x\x00y\u202ez\tw".encode()))
    assert (found.subject, found.text) == ("abc", "xyz\tw")


def test_a_subject_cannot_span_lines():
    found = mail_text.read(raw(b"From: a@example.com\nSubject: one\n two\n\tthree"))
    assert found.subject == "one two three"


@pytest.mark.parametrize(
    "sender", ["", "nobody", "<>", "a@b@c", "@example.com", "x" * 300 + "@example.com", "a@-"]
)
def test_a_sender_who_cannot_be_answered_is_none(sender):
    assert mail_text.read(raw(f"From: {sender}".encode(), b"?")).sender == ""


@pytest.mark.parametrize(
    "header",
    [b"Auto-Submitted: auto-replied", b"Auto-Submitted: auto-generated",
     b"List-Id: <l.example.com>",
     b"Precedence: bulk", b"Precedence: auto_reply", b"Return-Path: <>", b"X-Autoreply: yes",
     b"Content-Type: multipart/report; boundary=x"],
)  # fmt: skip
def test_programs_are_known(header):
    assert mail_text.read(raw(b"From: a@example.com\n" + header, b"?")).is_automatic


def test_bounces_are_known_and_people_are_not_taken_for_programs():
    assert mail_text.read(raw(b"From: MAILER-DAEMON@example.com", b"?")).is_automatic
    person = b"From: a@example.com\nAuto-Submitted: no\nReturn-Path: <a@example.com>"
    assert not mail_text.read(raw(person, b"?")).is_automatic


def test_a_missing_or_endless_mail_id_is_replaced():
    one = mail_text.read(raw(b"From: a@example.com", b"1")).mail_id
    endless = mail_text.read(raw(b"From: a@example.com\nMessage-ID: <" + b"x" * 400 + b">", b"1"))
    assert one.startswith("sha256:")
    assert endless.mail_id.startswith("sha256:")
    assert one != mail_text.read(raw(b"From: a@example.com", b"2")).mail_id


def nested(levels):
    body = b"deep"
    for level in range(levels):
        mark = f"b{level}".encode()
        body = (b"Content-Type: multipart/mixed; boundary=" + mark + b"\r\n\r\n--" + mark +
                b"\r\n" + body + b"\r\n--" + mark + b"--\r\n")  # fmt: skip
    return b"From: a@example.com\r\n" + body


@pytest.mark.parametrize(
    "hostile",
    [
        nested(20), nested(2_000), b"From: a@example.com\r\n" + b"X: y\r\n" * 200_000,
        b"A" * (1 << 20), b"\r\n" * 500_000,
        raw(b"From: a@example.com\nContent-Type: multipart/mixed; boundary=b", b"--b\n\n" * 9_000),
    ],
    ids=["nested", "nested deeply", "many headers", "one line", "only lines", "many parts"],
)  # fmt: skip
def test_expensive_mails_are_refused_or_read_in_no_time(hostile):
    begun = time.monotonic()
    with contextlib.suppress(mail_text.Unreadable):
        mail_text.read(hostile)
    assert time.monotonic() - begun < LIMIT_S


HOSTILE_TAGS = [
    "<!", "<a ", "&#", "<", "<!--", "<script>", "<script", "<a/", "&#1", "<p>", "<![CDATA[", "</",
    "<a b='", "<?", "&a",
]  # fmt: skip


@pytest.mark.parametrize("tag", HOSTILE_TAGS)
def test_expensive_html_is_read_in_no_time(tag):
    begun = time.monotonic()
    mail_text.html_text(tag * (1_000_000 // len(tag)))
    assert time.monotonic() - begun < LIMIT_S


NAMES = st.sampled_from(
    [b"From", b"To", b"Subject", b"Message-ID", b"Content-Type", b"Content-Transfer-Encoding",
     b"Content-Disposition", b"MIME-Version", b"Auto-Submitted", b"List-Id", b"Cc", b"X-Y"]
)  # fmt: skip
VALUES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [b"a@example.com", b"=?utf-8?b?////?=", b"=?x?q?=zz?=", b"=?utf-8?q?=E4=BD=A0?=", b"<>",
         b"multipart/mixed; boundary=b", b"multipart/mixed", b"message/rfc822", b"text/html",
         b"text/plain; charset=utf-16", b"text/plain; charset*0*=x''%ff", b"base64",
         b"quoted-printable", b"uuencode", b"attachment; filename*=utf-8''%00", b"(((((", b'"',
         b"text/plain; charset=\xff"]
    ),
)  # fmt: skip
BODIES = st.one_of(
    st.binary(max_size=300),
    st.lists(st.sampled_from([b"--b", b"--b--", b"\r\n", b"Content-Type: text/html", b"<p>x</p>",
                              b"begin 644 x\r\n", b"=E4=", b"////", b"\x00", b"> q"]),
             max_size=40).map(b"".join),
)  # fmt: skip


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(NAMES, VALUES), max_size=8), BODIES)
def test_whatever_comes_is_read_within_limits_or_refused(headers, body):
    source = b"".join(name + b": " + value + b"\r\n" for name, value in headers) + b"\r\n" + body
    try:
        found = mail_text.read(source)
    except mail_text.Unreadable:
        return
    assert 0 < len(found.text) <= contact.TEXT_CHARS_MAX
    assert len(found.subject) <= contact.SUBJECT_CHARS_MAX
    assert 0 < len(found.mail_id) <= mail_text.MAIL_ID_CHARS_MAX
    assert len(found.sender_name) <= mail_text.NAME_CHARS_MAX
    for text in (found.text, found.subject, found.sender, found.sender_name, found.mail_id):
        assert "\x00" not in text
        text.encode()  # no surrogate is left: a database takes it
    assert "\n" not in found.subject + found.sender + found.sender_name + found.mail_id
