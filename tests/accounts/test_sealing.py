import pytest

from accounts import sealing

LABEL, OTHER = b"tests one", b"tests two"


def test_opens_what_it_sealed_and_hides_it():
    sealed = sealing.seal("JBSWY3DPEHPK3PXP", label=LABEL)
    assert "JBSWY3DPEHPK3PXP" not in sealed
    assert sealing.unseal(sealed, label=LABEL) == "JBSWY3DPEHPK3PXP"
    assert sealing.seal("JBSWY3DPEHPK3PXP", label=LABEL) != sealed


def test_a_text_of_one_purpose_opens_for_no_other():
    sealed = sealing.seal("secret", label=LABEL)
    with pytest.raises(sealing.CannotOpen):
        sealing.unseal(sealed, label=OTHER)


def test_an_altered_text_does_not_open():
    sealed = sealing.seal("secret", label=LABEL)
    for place, letter in enumerate(sealed):
        # The upper bits change: the lower ones of the last letter say nothing.
        other = "w" if letter in "ABCDEFGHIJKLMNOP" else "A"
        wrong = sealed[:place] + other + sealed[place + 1 :]
        with pytest.raises(sealing.CannotOpen):
            sealing.unseal(wrong, label=LABEL)
    for wrong in ("", "1", "1.1", "1.1.", "plain text", sealed[:-4], sealed + "AAAA"):
        with pytest.raises(sealing.CannotOpen):
            sealing.unseal(wrong, label=LABEL)


def test_keys_rotate(settings):
    settings.CREDENTIAL_KEYS = {"1": "a" * 40}
    old = sealing.seal("secret", label=LABEL)
    settings.CREDENTIAL_KEYS = {"1": "a" * 40, "2": "b" * 40}
    new = sealing.seal("secret", label=LABEL)
    assert new.startswith("1.2.")
    assert sealing.unseal(old, label=LABEL) == sealing.unseal(new, label=LABEL) == "secret"
    settings.CREDENTIAL_KEYS = {"2": "b" * 40}
    with pytest.raises(sealing.CannotOpen):
        sealing.unseal(old, label=LABEL)


def test_nothing_is_sealed_without_a_key(settings):
    settings.CREDENTIAL_KEYS = {"1": ""}
    with pytest.raises(sealing.CannotSeal):
        sealing.seal("secret", label=LABEL)
