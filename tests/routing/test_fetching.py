"""Links are fetched from a real server on loopback, which the tests open as an operator could."""

import asyncio
import base64
import ipaddress
import socket

import pytest

from routing import fetching
from routing.conversation import Document, Image, Request, Role, Text, ToolResult, Turn, Video
from routing.errors import Code, RelayError
from tests.emulator import Script

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 32
LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]
REFUSED_LINKS = [
    "http://example.com/a.png", "https://example.com:8443/a.png", "https://user:pw@example.com/a",
    "https://user@example.com/", "ftp://example.com/a", "file:///etc/passwd", "gopher://x/",
    "https://", "https:///a", "//example.com/a", "data:image/png;base64,AAAA", "javascript:1",
    "https://exa mple.com/", "https://example.com/\r\nhost: x", "HTTP://EXAMPLE.COM/a", "",
]  # fmt: skip
# Names of the machine itself and ways to write its address that resolvers understand.
INSIDE = [
    "https://localhost/a", "https://127.0.0.1/a", "https://[::1]/a", "https://0.0.0.0/a",
    "https://127.1/a", "https://0x7f000001/a", "https://2130706433/a", "https://0177.0.0.1/a",
    "https://[::ffff:127.0.0.1]/a", "https://169.254.169.254/latest/meta-data/",
    "https://[fd00:ec2::254]/latest", "https://10.0.0.1/a", "https://192.168.0.1/a",
    "https://100.100.100.200/latest", "https://[64:ff9b::7f00:1]/a", "https://[2002:7f00:1::]/a",
]  # fmt: skip


@pytest.fixture
def opened(settings):
    settings.FETCH_NETWORKS = LOOPBACK


@pytest.fixture
def server(vendor, opened):
    """Answers each path with the script of that name."""
    pages = {}

    def rule(exchange):
        return pages.get(exchange.path, Script(status=404, chunks=[b"no"]))

    vendor.default = rule
    vendor.pages = pages
    return vendor


def page(body, kind="image/png", **options):
    return Script(headers=(("Content-Type", kind),), chunks=[body], is_chunked=False, **options)


def moved(to):
    return Script(status=302, headers=(("Location", to),), chunks=[b""], is_chunked=False)


def fetch(url):
    return asyncio.run(fetching.fetch(url))


def refusal(url):
    with pytest.raises(RelayError) as caught:
        fetch(url)
    assert caught.value.code is Code.IMAGE_DOWNLOAD
    assert caught.value.status == 400
    return caught.value.message


def test_gets_type_and_content(server):
    server.pages["/a.png"] = page(PNG, "text/plain")
    mime, data = fetch(f"{server.url}/a.png")
    assert mime == "image/png"  # what the bytes say, not the server
    assert base64.b64decode(data) == PNG


def test_nothing_of_ours_leaves_with_the_request(server):
    server.pages["/a.png"] = page(PNG)
    fetch(f"{server.url}/a.png")
    names = {name.lower() for name, _ in server.exchanges[0].headers}
    known = {"host", "accept", "accept-encoding", "user-agent", "content-length", "connection"}
    assert names <= known


def test_follows_three_redirects_and_no_fourth(server):
    server.pages["/end"] = page(PNG)
    for n in range(4):
        server.pages[f"/{n}"] = moved(f"/{n - 1}" if n else "/end")
    assert fetch(f"{server.url}/2")[0] == "image/png"
    assert "more than 3 times" in refusal(f"{server.url}/3")


@pytest.mark.parametrize("target", ["http://example.com/a", "file:///etc/passwd",
                                    "https://127.0.0.1:1/x\\@example.com"])  # fmt: skip
def test_a_redirect_is_checked_like_the_link(server, target):
    server.pages["/a"] = moved(target)
    refusal(f"{server.url}/a")
    assert len(server.exchanges) == 1


def test_refuses_what_is_too_large(server, monkeypatch):
    monkeypatch.setattr(fetching, "BYTES_MAX", 1 << 20)
    server.pages["/big"] = page(PNG + b"\0" * (2 << 20))
    assert "MiB" in refusal(f"{server.url}/big")


def test_refuses_what_is_no_medium(server):
    server.pages["/exe"] = page(b"MZ\x90\0", "application/octet-stream")
    assert "neither a picture" in refusal(f"{server.url}/exe")


def test_refuses_a_server_that_is_slow(server, monkeypatch):
    monkeypatch.setattr(fetching, "TIMEOUT_S", 0.2)
    server.pages["/slow"] = page(PNG, first_s=5)
    assert "could not be fetched" in refusal(f"{server.url}/slow")


@pytest.mark.parametrize("status", [404, 500, 204])
def test_tells_the_status_of_a_link_that_has_nothing(server, status):
    server.pages["/gone"] = Script(status=status, chunks=[b""], is_chunked=False)
    assert str(status) in refusal(f"{server.url}/gone")


@pytest.mark.parametrize("url", REFUSED_LINKS)
def test_refuses_a_link_that_is_not_https_on_its_own_port(url):
    refusal(url)


@pytest.mark.parametrize("url", INSIDE)
def test_never_connects_to_the_inside(url):
    refusal(url)


def test_a_guarded_host_is_never_dialed(monkeypatch, vendor):
    """A name that resolves to loopback is refused before a connection is made."""
    known = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", vendor.port))]

    async def looked_up(*_arguments, **_options):
        return known

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", looked_up)
    refusal("https://innocent.example/a.png")
    assert vendor.connections == 0


def turns(*parts):
    return Request(turns=(Turn(role=Role.USER, parts=parts),))


def test_puts_the_content_in_the_place_of_each_link(server):
    server.pages["/a.png"], server.pages["/b.pdf"] = page(PNG), page(b"%PDF-1.4", "x/y")
    a, b = f"{server.url}/a.png", f"{server.url}/b.pdf"
    request = turns(
        Text(text="x"), Image(url=a, detail="low"), Document(url=b, title="T"),
        ToolResult(call_id="1", parts=(Image(url=a),)),
    )  # fmt: skip
    done = asyncio.run(fetching.inline(request, (Image, Document)))
    text, image, document, result = done.turns[0].parts
    assert text == Text(text="x")
    assert (image.url, image.mime, image.detail) == ("", "image/png", "low")
    assert (document.url, document.mime, document.title) == ("", "application/pdf", "T")
    assert result.parts[0].data == image.data == base64.b64encode(PNG).decode()
    assert len(server.exchanges) == 2  # the same link once


def test_leaves_kinds_that_are_not_asked_for(server):
    request = turns(Image(url=f"{server.url}/a.png"))
    assert asyncio.run(fetching.inline(request, (Document,))) is request
    assert not server.exchanges


def test_refuses_more_links_than_the_limit():
    many = turns(*(Image(url=f"https://example.com/{n}") for n in range(21)))
    with pytest.raises(RelayError, match="image_download_failed"):
        asyncio.run(fetching.inline(many, (Image,)))


def test_a_film_of_youtube_stays_a_link():
    film = Video(url="https://www.youtube.com/watch?v=abc", mime="video/*")
    request = turns(film)
    assert asyncio.run(fetching.inline(request, (Video,))) is request
