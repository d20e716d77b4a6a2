import stat

import pytest

from bananarouter import secret_files


def test_makes_each_secret_once_for_its_owner_only(tmp_path):
    folder = tmp_path / "data" / "secrets"
    made = secret_files.make(folder, given=set(), has_database=False)
    assert made == list(secret_files.NAMES)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    texts = {}
    for name in secret_files.NAMES:
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
        texts[name] = (folder / name).read_text().strip()
        assert len(texts[name]) >= 64
    assert len(set(texts.values())) == len(secret_files.NAMES)
    assert sorted(path.name for path in folder.iterdir()) == sorted(secret_files.NAMES)
    assert secret_files.make(folder, given=set(), has_database=True) == []
    assert {name: (folder / name).read_text().strip() for name in texts} == texts


def test_leaves_out_what_the_environment_gives(tmp_path):
    made = secret_files.make(tmp_path / "s", given={"secret_key"}, has_database=False)
    assert made == ["key_pepper", "credential_key"]


@pytest.mark.parametrize("lost", secret_files.NAMES)
def test_refuses_a_database_whose_secret_is_gone(tmp_path, lost):
    folder = tmp_path / "secrets"
    secret_files.make(folder, given=set(), has_database=False)
    (folder / lost).unlink()
    with pytest.raises(secret_files.SecretsMissing, match=lost) as caught:
        secret_files.make(folder, given=set(), has_database=True)
    assert caught.value.names == [lost]
    assert not (folder / lost).exists()
