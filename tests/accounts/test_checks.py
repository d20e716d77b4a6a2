from accounts import checks


def ids(found):
    return sorted(message.id for message in found)


def test_the_settings_of_the_tests_pass():
    assert checks.at_migration(None, databases=["default"]) == []


def test_missing_secrets_are_errors_where_a_database_is_used(settings):
    settings.KEY_PEPPERS = {1: ""}
    settings.CREDENTIAL_KEYS = {"1": ""}
    assert ids(checks.at_migration(None, databases=["default"])) == [
        "accounts.E001",
        "accounts.E002",
    ]
    assert checks.at_migration(None) == []
    assert ids(checks.secrets()) == ["accounts.E001", "accounts.E002"]


def test_a_short_secret_is_an_error(settings):
    settings.KEY_PEPPERS = {1: "short"}
    assert ids(checks.secrets()) == ["accounts.E003"]
