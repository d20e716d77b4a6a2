"""Credentials at rest: bound to their row, rotated, never shown."""

import pytest
from django.core.management import CommandError, call_command

from routing import credentials
from routing.catalogue import Channel as LiveChannel
from routing.credentials import CredentialError
from routing.models import Channel
from routing.surfaces import Family
from routing.vendor_files import get

SECRET = "sk-test-0123456789abcdef-WXYZ"


def row(name="c", **fields):
    return Channel.objects.create(
        name=name,
        vendor="openai",
        protocol="openai-chat",
        base_url="https://x.example/v1",
        **fields,
    )


def opened(channel):
    channel.refresh_from_db()
    return credentials.unseal(
        bytes(channel.credential), key_id=channel.credential_key_id, channel_id=channel.pk
    )


@pytest.mark.django_db
def test_a_stored_credential_opens_in_its_own_row():
    channel = row()
    assert credentials.store(channel, SECRET)
    assert opened(channel) == SECRET
    assert (channel.credential_key_id, channel.credential_last_four) == ("1", "WXYZ")
    assert SECRET.encode() not in bytes(channel.credential)


@pytest.mark.django_db
def test_a_credential_copied_to_another_row_does_not_open():
    one, other = row("one"), row("other")
    credentials.store(one, SECRET)
    Channel.objects.filter(pk=other.pk).update(
        credential=one.credential, credential_key_id=one.credential_key_id
    )
    with pytest.raises(CredentialError):
        opened(other)
    assert opened(one) == SECRET


@pytest.mark.django_db
def test_a_changed_byte_anywhere_does_not_open():
    channel = row()
    credentials.store(channel, SECRET)
    blob = bytes(channel.credential)
    for at in range(len(blob)):
        broken = blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]
        with pytest.raises(CredentialError):
            credentials.unseal(broken, key_id="1", channel_id=channel.pk)
    for cut in (b"", blob[:1], blob[:80], blob[:-1]):
        with pytest.raises(CredentialError):
            credentials.unseal(cut, key_id="1", channel_id=channel.pk)


@pytest.mark.django_db
def test_the_same_secret_seals_to_different_bytes():
    blobs = {credentials.seal(SECRET, channel_id=1).blob for _ in range(20)}
    assert len(blobs) == 20


@pytest.mark.django_db
def test_storing_the_same_secret_again_changes_nothing():
    channel = row()
    credentials.store(channel, SECRET)
    blob = bytes(channel.credential)
    assert not credentials.store(channel, SECRET)
    assert bytes(channel.credential) == blob
    assert credentials.store(channel, SECRET + "2")
    assert credentials.store(channel, "")
    assert (bytes(channel.credential), channel.credential_last_four) == (b"", "")


@pytest.mark.django_db
def test_rotation_rewraps_every_row_and_the_old_key_can_go(settings, capsys):
    channels = [row(f"c{n}") for n in range(3)]
    for channel in channels:
        credentials.store(channel, f"{SECRET}{channel.pk}")
    bare = row("without")
    old = settings.CREDENTIAL_KEYS["1"]
    sealed_part = bytes(channels[0].credential)[credentials.WRAPPED_BYTES + 1 :]
    settings.CREDENTIAL_KEYS = {"1": old, "2": "a second key of more than thirty-two characters"}
    call_command("rewrap_credentials")
    assert capsys.readouterr().out == "3 credentials wrapped anew\n"
    assert credentials.rewrap() == 0
    settings.CREDENTIAL_KEYS = {"2": settings.CREDENTIAL_KEYS["2"]}
    for channel in channels:
        assert opened(channel) == f"{SECRET}{channel.pk}"
        assert channel.credential_key_id == "2"
    # Only the data key was wrapped anew: the secret itself was not touched.
    assert bytes(channels[0].credential)[credentials.WRAPPED_BYTES + 1 :] == sealed_part
    bare.refresh_from_db()
    assert bytes(bare.credential) == b""


@pytest.mark.django_db
def test_a_rotation_that_cannot_open_a_row_changes_none(settings):
    one, other = row("one"), row("other")
    credentials.store(one, SECRET)
    credentials.store(other, SECRET)
    Channel.objects.filter(pk=other.pk).update(credential=one.credential)
    old = settings.CREDENTIAL_KEYS["1"]
    settings.CREDENTIAL_KEYS = {"1": old, "2": "a second key of more than thirty-two characters"}
    with pytest.raises(CredentialError):
        credentials.rewrap()
    with pytest.raises(CommandError, match="does not open"):
        call_command("rewrap_credentials")
    assert set(Channel.objects.values_list("credential_key_id", flat=True)) == {"1"}


def test_a_lost_or_missing_key_is_said_and_nothing_else(settings):
    sealed = credentials.seal(SECRET, channel_id=1)
    settings.CREDENTIAL_KEYS = {"2": "another key of more than thirty-two characters, at least"}
    with pytest.raises(CredentialError, match="is not set"):
        credentials.unseal(sealed.blob, key_id="1", channel_id=1)
    settings.CREDENTIAL_KEYS = {"1": "another key of more than thirty-two characters, at least"}
    with pytest.raises(CredentialError, match="does not open"):
        credentials.unseal(sealed.blob, key_id="1", channel_id=1)
    settings.CREDENTIAL_KEYS = {"1": ""}
    with pytest.raises(CredentialError, match="CREDENTIAL_KEY is not set"):
        credentials.seal(SECRET, channel_id=1)


@pytest.mark.parametrize("secret", ["a\nb", "a\r\nX-Other: 1", "Ключ", "x" * 8_193, "a\x00b"])
def test_a_secret_that_could_break_a_header_is_refused(secret):
    with pytest.raises(CredentialError) as caught:
        credentials.seal(secret, channel_id=1)
    assert secret not in str(caught.value)


def test_a_short_secret_shows_none_of_its_characters():
    assert credentials.seal("short-secret", channel_id=1).last_four == ""


def test_the_secret_is_in_no_repr():
    channel = LiveChannel(
        id=1, name="c", vendor=get("openai"), family=Family.OPENAI, base_url="https://x.example/v1",
        auth_headers={"authorization": f"Bearer {SECRET}"}, jurisdiction="US", priority=1,
        on_disconnect="stop", is_demo=False,
    )  # fmt: skip
    assert SECRET not in repr(channel)
    assert SECRET not in repr(credentials.seal(SECRET, channel_id=1))
