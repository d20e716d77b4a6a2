"""A `type` that is no word is the client's mistake, in every dialect."""

import json

import pytest

from routing import dialects
from routing.dialects.base import PathParts
from routing.errors import RelayError
from routing.surfaces import Surface

ODD = [["text"], {"a": 1}, 3, True]
SAID = {"model": "m", "max_tokens": 9}


def chat(**fields):
    return Surface.CHAT, {**SAID, "messages": [{"role": "user", "content": "x"}], **fields}


def responses(**fields):
    return Surface.RESPONSES, {**SAID, "input": "x", **fields}


def messages(*blocks, **fields):
    turn = {"role": "user", "content": list(blocks) or "x"}
    return Surface.MESSAGES, {**SAID, "messages": [turn], **fields}


PLACES = {
    "chat part": lambda odd: (
        *chat(messages=[{"role": "user", "content": [{"type": odd}]}]),
        "messages[0].content[0].type",
    ),
    "chat tool": lambda odd: (*chat(tools=[{"type": odd}]), "tools[0].type"),
    "responses item": lambda odd: (*responses(input=[{"type": odd}]), "input[0].type"),
    "responses part": lambda odd: (
        *responses(input=[{"role": "user", "content": [{"type": odd}]}]),
        "input[0].content[0].type",
    ),
    "responses tool": lambda odd: (*responses(tools=[{"type": odd}]), "tools[0].type"),
    "messages block": lambda odd: (*messages({"type": odd}), "messages[0].content[0].type"),
    "messages tool": lambda odd: (*messages(tools=[{"type": odd}]), "tools[0].type"),
    "messages added tool": lambda odd: (
        *messages({"type": "tool_addition", "tool": {"type": odd}}),
        "messages[0].content[0].tool.type",
    ),
}


@pytest.mark.parametrize("odd", ODD, ids=str)
@pytest.mark.parametrize("place", PLACES)
def test_a_type_that_is_no_word_is_refused_by_name(place, odd):
    surface, body, param = PLACES[place](odd)
    with pytest.raises(RelayError) as refused:
        dialects.for_surface(surface).decode(
            surface=surface, raw=json.dumps(body).encode(), headers={}, path=PathParts()
        )
    assert refused.value.status == 400
    assert refused.value.param == param
