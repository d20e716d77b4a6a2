"""A schema as a table of fields."""

import pytest

from bananarouter.openapi import fields, schema

SCHEMAS = {"City": schema.obj({"name": schema.text("Its name.")}, required=("name",))}


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        (schema.text(), "string"),
        (schema.maybe(schema.integer()), "integer or null"),
        (schema.array(schema.text()), "array of strings"),
        (schema.array(schema.either(schema.text(), schema.integer())),
         "array of (string or integer)"),
        (schema.text(enum=["on", "off"]), "on or off"),
        ({"const": False}, "false"),
        (schema.ref("City"), "object"),
        ({}, "any"),
    ],
)  # fmt: skip
def test_names_what_a_field_may_hold(shape, said):
    assert fields.kind_of(shape, SCHEMAS) == said


def test_rows_reach_two_levels_deep_through_pointers_lists_and_unions():
    deep = schema.obj({"inner": schema.obj({"hidden": schema.text()})})
    shape = {
        "allOf": [
            schema.obj({"city": schema.ref("City"), "list": schema.array(deep)}),
            schema.obj({"size": schema.integer(minimum=1, default=20)}, required=("size",)),
        ]
    }
    rows = {row.name: row for row in fields.rows(shape, SCHEMAS)}
    assert list(rows) == ["city", "city.name", "list", "list[].inner", "size"]
    assert rows["city.name"].is_required
    assert not rows["city"].is_required
    assert rows["city.name"].text == "Its name."
    assert rows["size"].kind == "integer, at least 1, default 20"
