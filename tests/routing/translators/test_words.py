import pytest

from routing.error_codes import Code, RelayError
from routing.surfaces import Surface
from routing.translators import words


@pytest.mark.parametrize(
    ("client", "name", "own"),
    [
        (Surface.CHAT, "n", "n"),
        (Surface.GENERATE, "n", "generationConfig.candidateCount"),
        (Surface.GENERATE, "stop", "generationConfig.stopSequences"),
        (Surface.MESSAGES, "stop", "stop_sequences"),
        (Surface.MESSAGES, "reasoning", "thinking"),
        (Surface.RESPONSES, "response_format", "text.format"),
        (Surface.RESPONSES, "no such field", "no such field"),
    ],
)
def test_names_a_field_as_its_client_does(client, name, own):
    assert words.told(name, client) == own


def test_a_refusal_names_the_clients_field_and_nothing_else_of_it_changes():
    error = RelayError(code=Code.UNSUPPORTED, message="`n` cannot be told: nn.", param="n")
    found = words.retold(error, Surface.GENERATE)
    assert found.param == "generationConfig.candidateCount"
    assert found.message == "`generationConfig.candidateCount` cannot be told: nn."
    assert found.code is Code.UNSUPPORTED


def test_a_refusal_in_words_that_all_share_stays_the_same():
    error = RelayError(code=Code.INVALID_VALUE, message="`messages` is empty.", param="messages")
    assert words.retold(error, Surface.GENERATE) is error
    nameless = RelayError(code=Code.INTERNAL, message="It broke.")
    assert words.retold(nameless, Surface.MESSAGES) is nameless
