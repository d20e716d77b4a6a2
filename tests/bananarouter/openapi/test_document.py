"""The OpenAPI document says what the code does: routes, methods, codes, headers, examples."""

import itertools
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.urls import get_resolver

from bananarouter.openapi import catalogue, document, errors, examples, headers
from bananarouter.openapi.document import Undescribed
from bananarouter.openapi.operation import Kind
from bananarouter.openapi.routes import all_routes
from routing import managed_keys, model_list
from routing.api.base import METHODS
from routing.error_codes import TABLE, Code
from routing.surfaces import Surface

WIRE = (Path(settings.BASE_DIR) / "docs" / "wire.md").read_text()


@pytest.fixture(scope="module")
def whole():
    return document.build(is_demo=True)


def operations(whole):
    return [
        (path, method, told)
        for path, item in whole["paths"].items()
        for method, told in item.items()
    ]


def test_every_route_resolves_as_the_document_writes_it():
    """Each path, filled in, reaches the very view that it was read from."""
    routes = all_routes()
    resolver = get_resolver("routing.urls")
    for route in routes:
        path = re.sub(r"\{(model|name)\}", "acme/model-1", route.path)
        path = path.replace("{public_hash}", "abc123")
        assert resolver.resolve(path).func.cls is route.view, route.path
    reached = {route.view for route in routes}
    assert {pattern.callback.cls for pattern in resolver.url_patterns} == reached
    assert {"/v1/models", "/v1beta/models"} <= {route.path for route in routes}


def test_every_method_of_every_route_is_described_and_nothing_else(whole):
    wanted = {
        (route.path, method)
        for route in all_routes()
        for method in METHODS
        if hasattr(route.view, method)
    }
    assert {(path, method) for path, method, _ in operations(whole)} == wanted
    said = {(view, method) for view, told in document.OPERATIONS.items() for method in told}
    assert said == {(r.view, m) for r in all_routes() for m in r.methods}


def test_a_route_that_nobody_described_is_an_error(monkeypatch):
    route = all_routes()[0]
    rest = {view: told for view, told in document.OPERATIONS.items() if view is not route.view}
    monkeypatch.setattr(document, "OPERATIONS", rest)
    with pytest.raises(Undescribed, match=re.escape(route.path)):
        document.build(is_demo=True)


def test_every_surface_has_an_operation():
    assert {getattr(route.view, "surface", None) for route in all_routes()} == set(Surface)


def test_operation_ids_are_unique(whole):
    ids = [told["operationId"] for _, _, told in operations(whole)]
    assert len(ids) == len(set(ids))


def test_path_parameters_are_those_of_the_path(whole):
    for path, _, told in operations(whole):
        named = {p["name"] for p in told.get("parameters", ()) if p["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", path)), path


def test_every_pointer_leads_somewhere_and_nothing_is_left_over(whole):
    found = set(document._pointers(whole))
    for target in found:
        place = whole
        for name in target.removeprefix("#/").split("/"):
            place = place[name]
    for kind in ("schemas", "responses", "headers"):
        named = {f"#/components/{kind}/{name}" for name in whole["components"][kind]}
        assert named - found == set()


def test_a_key_in_the_query_is_offered_under_v1beta_alone(whole):
    for path, _, told in operations(whole):
        assert ({"key": []} in told["security"]) == path.startswith("/v1beta/")
        assert {"bearer": []} in told["security"]


def test_our_headers_are_those_of_the_reference(whole):
    told = set(re.findall(r"`(X-[\w-]+|Retry-After|anthropic-[\w-]+|OpenAI-Beta)", WIRE))
    assert set(headers.SENT) | set(headers.RETURNED) == told
    source = "".join(p.read_text() for p in (Path(settings.BASE_DIR) / "routing").glob("*.py"))
    for name in [*headers.SENT, *headers.RETURNED]:
        if name.startswith("X-"):
            assert f'"{name.lower()}"' in source, f"{name} is in no module"


def test_every_code_is_told_with_its_status_and_in_its_protocols_words(whole):
    assert whole["components"]["schemas"]["ErrorCode"]["enum"] == [code.value for code in Code]
    seen = set()
    for name, told in whole["components"]["responses"].items():
        envelope, _, status = name.split(".")
        for code, example in told["content"]["application/json"]["examples"].items():
            row, error = TABLE[Code(code)], example["value"]["error"]
            assert row.status == int(status)
            word, wanted = {
                "OpenAI": (error.get("type"), row.openai_type),
                "Anthropic": (error.get("type"), row.anthropic_type),
                "PlatformAnthropic": (error.get("error_type"), row.error_type),
                "Gemini": (error.get("status"), row.gemini_status),
                "PlatformOpenAI": ((error.get("metadata") or {}).get("reason"), code),
            }[envelope]
            assert word == wanted, (name, code)
            assert error["message"] == errors.advice(Code(code))
            seen.add(Code(code))
    assert set(Code) - seen == errors.NOWHERE


def test_the_parameters_of_lists_are_those_that_are_read():
    named = {p.name for p in (*catalogue.FILTERS, *catalogue.PAGING)}
    assert named == model_list.FILTERS | model_list.PAGING
    assert len(catalogue.FILTERS) == len(model_list.FILTERS)
    assert {p.name for p in catalogue.PAGING} == model_list.PAGING


def test_the_fields_of_a_key_are_those_that_are_read(whole):
    schemas = whole["components"]["schemas"]
    assert set(schemas["NewKeyRequest"]["properties"]) <= managed_keys.CREATE_FIELDS
    assert set(schemas["ChangeKeyRequest"]["properties"]) <= managed_keys.CHANGE_FIELDS


def test_errors_come_in_the_envelope_of_the_path(whole):
    for path, _, told in operations(whole):
        target = told["responses"]["401"]["$ref"].rpartition("/")[2].split(".")[0]
        is_platform, is_anthropic = path.startswith("/api/v1/"), "/messages" in path
        is_gemini = ":" in path or path.startswith("/v1beta/")
        wanted = "Gemini" if is_gemini else "Anthropic" if is_anthropic else "OpenAI"
        assert target == ("Platform" if is_platform else "") + wanted


def test_lists_and_records_have_no_error_of_money_or_vendors(whole):
    for one in document.described():
        statuses = set(whole["paths"][one.route.path][one.method]["responses"])
        is_relayed = one.operation.kind in {Kind.RELAYED, Kind.COUNT}
        assert ({"402", "502", "504"} <= statuses) == is_relayed
        assert is_relayed or not {"402", "502", "504"} & statuses


def test_examples_call_models_that_the_deployment_has():
    demo, other = (document.published(is_demo=is_demo)[0].decode() for is_demo in (True, False))
    assert '"model": "demo/fast"' in demo
    assert "demo/" not in other
    assert "{model}" not in re.sub(r"/models/\{model\}:", "", demo + other)


@pytest.mark.parametrize("is_demo", [True, False])
def test_examples_in_python_can_be_read(is_demo):
    for one in document.described():
        for example in one.operation.examples:
            if one.is_home:
                text = examples.python(
                    one.operation, example, method=one.method, path=one.route.path,
                    origin="https://api.example", is_demo=is_demo,
                )  # fmt: skip
                compile(text, one.id, "exec")
                assert "{" not in re.sub(r"\{.*?\}", "", text, flags=re.DOTALL)


# By the standards' own schemas


def validator(schema, whole):
    jsonschema = pytest.importorskip(
        "jsonschema", reason="jsonschema is not installed yet: renew the lock"
    )
    return jsonschema.Draft202012Validator({**schema, "components": whole["components"]})


def test_the_document_is_valid_openapi_3_1(whole):
    spec = pytest.importorskip(
        "openapi_spec_validator",
        reason="openapi-spec-validator is not installed yet: renew the lock",
    )
    assert list(spec.OpenAPIV31SpecValidator(whole).iter_errors()) == []
    broken = {**whole, "paths": {"/x": {"get": {"responses": []}}}}
    assert list(spec.OpenAPIV31SpecValidator(broken).iter_errors()) != []


def test_every_example_of_an_error_fits_its_schema(whole):
    for told in whole["components"]["responses"].values():
        content = told["content"]["application/json"]
        check = validator(content["schema"], whole)
        for example in content["examples"].values():
            assert list(check.iter_errors(example["value"])) == []
            assert list(check.iter_errors({})) != []


def test_every_example_of_a_request_fits_its_schema(whole):
    shown = 0
    for path, _, told in operations(whole):
        for content in told.get("requestBody", {}).get("content", {}).values():
            for name, example in content.get("examples", {}).items():
                faults = list(validator(content["schema"], whole).iter_errors(example["value"]))
                assert faults == [], (path, name)
                shown += 1
    assert shown > 30


def test_a_request_without_its_required_fields_does_not_fit(whole):
    bodies = itertools.chain.from_iterable(
        told["requestBody"]["content"].values()
        for _, _, told in operations(whole)
        if "requestBody" in told
    )
    loose = [c["schema"] for c in bodies if validator(c["schema"], whole).is_valid({})]
    # What countTokens takes has two shapes, of which either will do; a change may be of any field.
    names = {schema["$ref"].rpartition("/")[2] for schema in loose}
    assert names == {"CountTokensRequest", "ChangeKeyRequest"}
