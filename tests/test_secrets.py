"""No file of the repository holds a key: ours by its checksum, vendors' by their shape."""

import gzip
import re
import zipfile
import zlib
from pathlib import Path

import pytest

from accounts import keytext
from tests.test_house import FILES, NAMES

# Shapes that the vendors publish; each has a prefix of its own and enough random characters.
SHAPES = {
    "Anthropic": rb"\bsk-ant-(?:api|admin)\d{2}-[\w-]{80,}",
    "OpenAI": rb"\bsk-(?:proj|svcacct|admin)-[\w-]{40,}|\bsk-\w{20}T3BlbkFJ\w{20}",
    "OpenRouter": rb"\bsk-or-v1-[0-9a-f]{64}",
    "Google": rb"\bAIza[\w-]{35}\b",
    "Groq": rb"\bgsk_[0-9A-Za-z]{50,}",
    "xAI": rb"\bxai-[0-9A-Za-z]{70,}",
    "Hugging Face": rb"\bhf_[A-Za-z]{34}\b",
    "Stripe": rb"\b[sr]k_live_[0-9A-Za-z]{24,}",
    "GitHub": rb"\bgh[pousr]_[0-9A-Za-z]{36}\b|\bgithub_pat_\w{82}\b",
    "AWS": rb"\bAKIA[0-9A-Z]{16}\b",
    "Aliyun": rb"\bLTAI[0-9A-Za-z]{20}\b",
    "Slack": rb"\bxox[abprs]-[0-9A-Za-z-]{24,}",
    "a private key": rb"-----BEGIN (?:[A-Z]+ )?PRIVATE" + rb" KEY-----\s+[0-9A-Za-z+/=\s]{100,}",
}
OURS = re.compile(rb"bnr_(?:live|test)_[0-9A-Za-z]{36}")
INFLATED_BYTES_MAX = 64 << 20


def found(content: bytes) -> list[str]:
    """Whose keys some bytes hold."""
    names = [
        name
        for name, shape in SHAPES.items()
        for match in re.finditer(shape, content)
        if not _is_example(match.group())
    ]
    ours = (match.group().decode() for match in OURS.finditer(content))
    # The checksum tells a real one from an example in the docs.
    return names + ["BananaRouter" for text in ours if _has_checksum(text)]


def _has_checksum(text: str) -> bool:
    return keytext.is_well_formed(text) or keytext.is_well_formed(text.replace("test", "live", 1))


def _is_example(text: bytes) -> bool:
    """What repeats itself is no key: at least a quarter of one's characters differ."""
    body = text[8:]
    return len(set(body)) < min(12, len(body) // 4 + 2)


def opened(path: Path) -> list[bytes]:
    """A file's bytes, and what is packed in it."""
    content = path.read_bytes()
    parts = [content]
    if content.startswith(b"\x1f\x8b"):
        parts.append(zlib.decompressobj(31).decompress(content, INFLATED_BYTES_MAX))
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            parts += [file.read(name) for name in file.namelist()]
    return parts


def test_no_committed_file_holds_a_key():
    wrong = {
        NAMES[path]: names
        for path in FILES
        if (names := [name for part in opened(path) for name in found(part)])
    }
    assert not wrong, "revoke it first, then take it out"


def made(prefix: str, count: int, letters: str = keytext.ALPHABET) -> str:
    return prefix + "".join(letters[(7 * n + 3) % len(letters)] for n in range(count))


# Put together here, so that this file holds none.
PLANTED = {
    "BananaRouter": [keytext.draw(), keytext.draw()],
    "Anthropic": [made("sk-ant-" + "api03-", 95)],
    "OpenAI": [made("sk-" + "proj-", 60)],
    "OpenRouter": [made("sk-" + "or-v1-", 64, "0123456789abcdef")],
    "Google": [made("AI" + "za", 35)],
    "Groq": [made("gs" + "k_", 52)],
    "xAI": [made("xa" + "i-", 80)],
    "Hugging Face": [made("h" + "f_", 34, keytext.ALPHABET[10:])],
    "Stripe": [made("sk_" + "live_", 40)],
    "GitHub": [made("gh" + "p_", 36)],
    "AWS": [made("AK" + "IA", 16, keytext.ALPHABET[:36])],
    "Aliyun": [made("LT" + "AI", 20)],
    "Slack": [made("xox" + "b-", 40)],
}


@pytest.mark.parametrize("name", PLANTED)
@pytest.mark.parametrize("packed", ["plain", "gzip", "zip"])
def test_a_planted_key_is_found(name, packed, tmp_path):
    path = tmp_path / "fixture"
    for text in PLANTED[name]:
        content = f'{{"key": "{text}", "n": 1}}\n'.encode()
        if packed == "zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
                file.writestr("a.json", content)
        else:
            path.write_bytes(gzip.compress(content) if packed == "gzip" else content)
        assert name in [each for part in opened(path) for each in found(part)]


def test_an_example_with_a_wrong_checksum_is_no_key():
    text = keytext.draw()
    wrong = text[:-1] + ("0" if text[-1] != "0" else "1")
    assert found(wrong.encode()) == []
    assert found(b"bnr_live_" + b"x" * 36) == []
