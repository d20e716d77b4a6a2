"""JSON Schema and Google's subset of OpenAPI."""

import pytest

from routing.errors import RelayError
from routing.translators.gemini_generate.schema_in import from_openapi
from routing.translators.gemini_generate.schema_out import DEPTH_MAX, NODES_MAX, to_openapi


def downgraded(schema):
    return to_openapi(schema, "tools.f.parameters")


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [
        ({"type": ["string", "null"]}, {"type": "STRING", "nullable": True}),
        ({"type": "null"}, {"type": "NULL"}),
        (
            {"type": ["string", "integer"]},
            {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]},
        ),
        (
            {"anyOf": [{"type": "string"}, {"type": "null"}]},
            {"type": "STRING", "nullable": True},
        ),
        (
            {"oneOf": [{"type": "string"}, {"type": "number"}]},
            {"anyOf": [{"type": "STRING"}, {"type": "NUMBER"}]},
        ),
        ({"const": "x"}, {"type": "STRING", "format": "enum", "enum": ["x"]}),
        (
            {"enum": ["a", None]},
            {"nullable": True, "type": "STRING", "format": "enum", "enum": ["a"]},
        ),
        (
            {
                "allOf": [
                    {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
                    {"properties": {"b": {"type": "number"}}, "required": ["b"]},
                ]
            },
            {
                "type": "OBJECT",
                "properties": {"b": {"type": "NUMBER"}, "a": {"type": "STRING"}},
                "required": ["a", "b"],
            },
        ),
        ({"type": "array"}, {"type": "ARRAY", "items": {"type": "STRING"}}),
        ({"type": "string", "format": "date-time"}, {"type": "STRING", "format": "date-time"}),
        ({"title": "t", "description": "d", "default": 1}, {"title": "t", "description": "d",
                                                            "default": 1}),
        ({"$schema": "x", "$id": "y", "type": "string"}, {"type": "STRING"}),
    ],
)  # fmt: skip
def test_says_the_same_in_googles_words(schema, wanted):
    assert downgraded(schema) == (wanted, ())


@pytest.mark.parametrize(
    "word",
    [
        "exclusiveMinimum", "multipleOf", "uniqueItems", "patternProperties", "propertyNames",
        "not", "if", "then", "unevaluatedProperties", "additionalProperties", "pattern",
        "minimum", "maxLength", "minItems",
    ],
)  # fmt: skip
def test_drops_and_names_words_that_google_refuses(word):
    assert downgraded({"type": "object", word: 1}) == ({"type": "OBJECT"}, (word,))


def test_names_values_that_are_no_strings_and_unknown_formats():
    assert downgraded({"type": "integer", "enum": [1, 2]}) == ({"type": "INTEGER"}, ("enum",))
    assert downgraded({"type": "string", "format": "uri"}) == ({"type": "STRING"}, ("format",))


def test_writes_references_out():
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/x~1y", "description": "mine"}},
        "$defs": {"x/y": {"type": "string", "description": "its"}},
    }
    assert downgraded(schema)[0] == {
        "type": "OBJECT",
        "properties": {"a": {"type": "STRING", "description": "mine"}},
    }


@pytest.mark.parametrize("reference", ["#", "#/$defs/node"])
def test_ends_a_reference_that_holds_itself(reference):
    node = {"type": "object", "properties": {"next": {"$ref": reference}}}
    found, lost = downgraded({**node, "$defs": {"node": node}})
    inner = found["properties"]["next"]["properties"]["next"]
    assert inner == {"type": "OBJECT"}
    assert lost == ()


def test_names_a_reference_that_leads_nowhere():
    assert downgraded({"$ref": "https://x.test/schema"})[1] == ("$ref",)
    assert downgraded({"$ref": "#/$defs/none"}) == ({}, ("$ref",))


def test_refuses_a_schema_that_grows_without_end():
    levels = 40
    defs = {
        str(n): {"properties": {k: {"$ref": f"#/$defs/{n + 1}"} for k in "ab"}}
        for n in range(levels)
    }
    with pytest.raises(RelayError) as raised:
        downgraded({"$ref": "#/$defs/0", "$defs": {**defs, str(levels): {"type": "string"}}})
    assert raised.value.param == "tools.f.parameters"
    assert str(NODES_MAX) in str(raised.value.message)


def test_refuses_a_chain_of_references_without_end():
    defs = {str(n): {"$ref": f"#/$defs/{n + 1}"} for n in range(5_000)}
    with pytest.raises(RelayError) as raised:
        downgraded({"$ref": "#/$defs/0", "$defs": defs})
    assert str(DEPTH_MAX) in str(raised.value.message)


def test_reads_googles_words_back():
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": ["string", "null"]},
            "b": {"type": "array", "items": {"type": "integer"}},
        },
        "required": ["a"],
    }
    assert from_openapi(downgraded(schema)[0], "p") == schema


def test_refuses_what_is_no_schema_naming_the_place():
    for schema, param in (
        ({"properties": {"a": 1}}, "p.properties.a"),
        ({"items": "x"}, "p.items"),
        ({"any_of": {}}, "p.anyOf"),
    ):
        with pytest.raises(RelayError) as raised:
            from_openapi(schema, "p")
        assert raised.value.param == param


def test_keeps_names_of_properties_as_they_are():
    schema = {"properties": {"min_items": {"type": "STRING"}, "ref": {"type": "STRING"}}}
    assert list(from_openapi(schema, "p")["properties"]) == ["min_items", "ref"]
