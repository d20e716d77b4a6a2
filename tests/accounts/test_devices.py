import pytest

from accounts import devices

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0"


@pytest.mark.parametrize(
    ("user_agent", "family"),
    [
        (f"{CHROME} Safari/537.36", "Chrome, Linux"),
        (f"{CHROME} Safari/537.36 Edg/141.0.3537.57", "Edge, Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0; rv:144.0) Gecko/20100101 Firefox/144.0",
            "Firefox, Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1",
            "Safari, iPhone",
        ),
        (
            "Mozilla/5.0 (Linux; Android 16; Pixel 9) Chrome/141 Mobile Safari/537",
            "Chrome, Android",
        ),
        ("curl/8.14.1", "curl"),
        ("python-requests/2.32 a b c", "python-requests"),
        ("", ""),
        ("x" * 500, "x" * 40),
    ],
)
def test_family(user_agent, family):
    assert devices.family(user_agent) == family


def test_a_family_of_a_family_is_itself():
    for family in ("Chrome, Linux", "Safari, iPhone", "Firefox"):
        assert devices.family(family) == family
