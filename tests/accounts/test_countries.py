from django.utils.translation import override

from accounts import countries


def test_countries_are_named_in_the_language_of_the_page():
    with override("en"):
        assert countries.name("DE") == "Germany"
    with override("zh-hans"):
        assert countries.name("DE") == "德国"
        assert countries.name("TW") == "中国台湾"
    assert countries.name("??") == "??"


def test_all_codes_of_iso_3166_are_there_once():
    assert len(countries.NAMES) == 249
    assert all(len(code) == 2 and code.isupper() for code in countries.NAMES)


def test_choices_are_in_the_order_of_the_language():
    with override("en"):
        names = [name for _, name in countries.choices()]
        assert names[0] == "Afghanistan"
        assert names[1] == "Åland Islands"
        assert names[-1] == "Zimbabwe"
    with override("zh-hans"):
        names = [name for _, name in countries.choices()]
        assert names.index("阿富汗") < names.index("德国") < names.index("中国") < len(names)
