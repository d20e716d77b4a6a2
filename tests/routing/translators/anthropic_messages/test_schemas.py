from hypothesis import given

from routing.translators.anthropic_messages.schemas import Closing
from tests.routing.translators.anthropic_messages.test_stream_in import JSON


def close(schema):
    closing = Closing()
    return closing.close(schema), closing


def test_a_schema_within_the_subset_stays():
    schema = {
        "type": "object", "title": "T", "description": "D", "additionalProperties": False,
        "$defs": {"A": {"enum": ["x", 1, None], "default": "x"}},
        "properties": {"a": {"$ref": "#/$defs/A"}, "b": {"anyOf": [{"type": "null"}]},
                       "c": {"type": "array", "items": {"type": "string", "format": "date"},
                             "minItems": 1}},
        "required": ["a"],
    }  # fmt: skip
    found, closing = close(schema)
    assert found == schema
    assert not closing.is_changed


def test_open_objects_are_closed():
    found, closing = close({"type": "object", "properties": {"a": {"type": "object"}}})
    assert found["additionalProperties"] is False
    assert found["properties"]["a"]["additionalProperties"] is False
    assert closing.is_changed
    assert not closing.has_open_maps


def test_words_that_are_not_enforced_go_into_the_description():
    found, closing = close({"type": "integer", "description": "A.", "minimum": 1, "maximum": 9})
    assert found == {"type": "integer", "description": "A.\n\n{minimum: 1, maximum: 9}"}
    assert closing.is_changed
    found, _ = close({"type": "string", "format": "color", "minLength": 2})
    assert found == {"type": "string", "description": "{format: color, minLength: 2}"}


def test_one_of_becomes_any_of():
    found, closing = close({"oneOf": [{"type": "string"}, {"type": "null"}]})
    assert found == {"anyOf": [{"type": "string"}, {"type": "null"}]}
    assert closing.is_changed


def test_several_types_become_one_schema_each():
    found, _ = close({"type": ["string", "null"], "enum": ["a", None], "description": "D"})
    assert found == {
        "anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}],
        "description": "D",
    }


def test_an_object_of_any_keys_is_noticed():
    for extra in (True, {"type": "integer"}):
        _, closing = close({"type": "object", "additionalProperties": extra})
        assert closing.has_open_maps


@given(JSON)
def test_no_schema_makes_it_raise(schema):
    close(schema)
    for word in ("type", "properties", "anyOf", "items", "format", "enum", "required", "$defs"):
        close({word: schema})
        close({"type": "object", word: schema})
