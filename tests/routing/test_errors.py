import json
import re
from pathlib import Path

import anthropic
import httpx2
import openai
import orjson
import pytest
from django.conf import settings

from routing import errors
from routing.errors import TABLE, Code, RelayError
from routing.surfaces import Family, Surface
from tests.routing.dialects import recordings

ANTHROPIC_TYPES = {
    "invalid_request_error",
    "authentication_error",
    "billing_error",
    "permission_error",
    "not_found_error",
    "rate_limit_error",
    "timeout_error",
    "api_error",
    "overloaded_error",
}
GEMINI_STATUSES = {  # google.rpc.Code
    "INVALID_ARGUMENT",
    "UNAUTHENTICATED",
    "PERMISSION_DENIED",
    "NOT_FOUND",
    "RESOURCE_EXHAUSTED",
    "ABORTED",
    "UNAVAILABLE",
    "INTERNAL",
    "DEADLINE_EXCEEDED",
}
OPENROUTER_TYPES = {
    "context_length_exceeded",
    "authentication",
    "permission_denied",
    "payment_required",
    "rate_limit_exceeded",
    "provider_overloaded",
    "provider_unavailable",
    "invalid_request",
    "not_found",
    "precondition_failed",
    "payload_too_large",
    "content_policy_violation",
    "invalid_image",
    "image_too_large",
    "unsupported_image_format",
    "image_download_failed",
    "server",
    "timeout",
}


def vendor(status, body, headers=None, family=Family.OPENAI):
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return errors.from_vendor(status=status, headers=headers or {}, body=raw, family=family)


@pytest.mark.parametrize("code", Code)
def test_every_code_has_a_row_in_every_protocols_own_words(code):
    row = TABLE[code]
    assert 400 <= row.status < 600
    assert row.anthropic_type in ANTHROPIC_TYPES
    assert row.gemini_status in GEMINI_STATUSES
    assert row.error_type in OPENROUTER_TYPES
    assert len(code.value) <= 32  # the request log's column
    if row.status == 401:
        assert row.anthropic_type == "authentication_error"


def test_only_a_key_that_is_proven_bad_is_a_401():
    assert {code for code, row in TABLE.items() if row.status == 401} == {
        Code.MISSING_KEY,
        Code.INVALID_KEY,
        Code.EXPIRED_KEY,
        Code.DISABLED_KEY,
    }


@pytest.mark.parametrize("code", Code)
def test_envelopes_have_the_form_of_their_protocol(code):
    error = RelayError(code=code, message="What, why, what to do.", param="model", retry_after_s=3)
    status, headers, body = errors.envelope(error, family=Family.OPENAI, request_id="r1")
    told = json.loads(body)
    assert set(told) == {"error"}
    assert set(told["error"]) == {"message", "type", "param", "code"}
    assert (status, headers["retry-after"]) == (TABLE[code].status, "3")

    _, _, body = errors.envelope(error, family=Family.ANTHROPIC, request_id="r1")
    told = json.loads(body)
    assert told == {
        "type": "error",
        "error": {"type": TABLE[code].anthropic_type, "message": "What, why, what to do."},
        "request_id": "r1",
    }

    _, _, body = errors.envelope(error, family=Family.GEMINI, request_id="r1")
    told = json.loads(body)["error"]
    assert (told["code"], told["status"]) == (status, TABLE[code].gemini_status)
    assert told["details"][1]["retryDelay"] == "3s"

    _, _, body = errors.envelope(
        error, family=Family.OPENAI, surface=Surface.PLATFORM, request_id="r1"
    )
    told = json.loads(body)["error"]
    assert told["code"] == TABLE[code].status
    assert told["metadata"] == {"error_type": TABLE[code].error_type, "reason": code.value}


def test_the_402_is_the_text_that_clients_parse():
    error = errors.cannot_afford(
        requested_tokens=4096, affordable_tokens=17, top_up_url="https://example.com/billing"
    )
    status, _, body = errors.envelope(error, family=Family.OPENAI, request_id="r")
    assert status == 402
    assert json.loads(body)["error"] == {
        "message": "This request requires more credits, or fewer max_tokens. You requested up to "
        "4096 tokens, but can only afford 17. To increase, visit https://example.com/billing",
        "type": "insufficient_quota",
        "param": None,
        "code": "insufficient_quota",
    }
    _, _, body = errors.envelope(
        error, family=Family.OPENAI, surface=Surface.PLATFORM, request_id="r"
    )
    assert json.loads(body)["error"]["metadata"]["provider_name"] is None


def test_headers_tell_clients_whether_to_try_again():
    conflict = RelayError(code=Code.IDEMPOTENCY_CONFLICT, message="Running.")
    _, headers, _ = errors.envelope(conflict, family=Family.OPENAI, request_id="r")
    assert headers["x-should-retry"] == "false"
    missing = RelayError(code=Code.MISSING_KEY, message="No key.")
    _, headers, _ = errors.envelope(missing, family=Family.OPENAI, request_id="r")
    assert headers["www-authenticate"] == "Bearer"
    assert headers["x-should-retry"] == "false"
    assert "retry-after" not in headers
    busy = RelayError(code=Code.OVERLOADED, message="Busy.", retry_after_s=1)
    _, headers, _ = errors.envelope(busy, family=Family.OPENAI, request_id="r")
    assert "x-should-retry" not in headers


def test_stream_events_have_the_form_of_their_protocol():
    error = RelayError(code=Code.STREAM_INTERRUPTED, message="The stream broke.")

    def event(surface):
        return errors.stream_event(error, surface=surface, request_id="r1")

    chat = json.loads(event(Surface.CHAT).removeprefix(b"data: "))
    assert chat["error"]["code"] == "stream_interrupted"
    assert chat["choices"][0]["finish_reason"] == "error"
    assert event(Surface.MESSAGES).startswith(b'event: error\ndata: {"type":"error"')
    responses = event(Surface.RESPONSES)
    assert responses.startswith(b"event: error\ndata: ")
    assert json.loads(responses.split(b"data: ")[1])["type"] == "error"
    gemini = event(Surface.GENERATE)
    assert gemini.endswith(b"\r\n\r\n")
    assert json.loads(gemini.removeprefix(b"data: "))["error"]["status"] == "INTERNAL"
    for surface in (Surface.CHAT, Surface.MESSAGES, Surface.RESPONSES, Surface.GENERATE):
        assert b"DONE" not in event(surface)


# status, body -> code, client status, retry elsewhere: dialects.md section 4 and proxy.md C2
ROWS = [
    (401, {"error": {"code": "invalid_api_key"}}, Code.UPSTREAM_AUTH, 502, True),
    (401, b"<html>401</html>", Code.UPSTREAM_AUTH, 502, True),
    (402, {"error": {"message": "Insufficient Balance"}}, Code.UPSTREAM_AUTH, 502, True),
    (403, {"error": {"type": "permission_error"}}, Code.UPSTREAM_AUTH, 502, True),
    (429, {"error": {"code": "insufficient_quota"}}, Code.UPSTREAM_AUTH, 502, True),
    (429, {"error": {"code": "1113", "message": "x"}}, Code.UPSTREAM_AUTH, 502, True),
    (
        400,
        {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": "Your credit balance is too low to access the API.",
            },
        },
        Code.UPSTREAM_AUTH,
        502,
        True,
    ),
    (
        400,
        {
            "error": {
                "status": "FAILED_PRECONDITION",
                "message": "User location is not supported for the API use.",
            }
        },
        Code.UPSTREAM_AUTH,
        502,
        True,
    ),
    (404, {"error": {"code": "model_not_found"}}, Code.UPSTREAM_MODEL, 503, True),
    (400, {"error": {"code": "model_not_found"}}, Code.UPSTREAM_MODEL, 503, True),
    (404, b"not found", Code.UPSTREAM_MODEL, 503, True),
    (410, {"error": {"message": "retired"}}, Code.UPSTREAM_MODEL, 503, True),
    (
        404,
        {"error": {"message": "Item with id 'rs_1' not found.", "param": "input"}},
        Code.VENDOR_REFUSED,
        404,
        False,
    ),
    (400, {"error": {"code": "context_length_exceeded"}}, Code.CONTEXT_LENGTH, 400, False),
    (
        400,
        {"type": "error", "error": {"message": "prompt is too long: 210000 tokens > 200000"}},
        Code.CONTEXT_LENGTH,
        400,
        False,
    ),
    (400, {"error": {"code": "invalid_image_format"}}, Code.UNSUPPORTED_IMAGE, 400, False),
    (400, {"error": {"code": "image_too_large"}}, Code.IMAGE_TOO_LARGE, 400, False),
    (400, {"error": {"code": "content_policy_violation"}}, Code.CONTENT_POLICY, 400, False),
    (403, {"error": {"code": "content_policy_violation"}}, Code.CONTENT_POLICY, 403, False),
    (
        400,
        {"error": {"code": "x", "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
        Code.CONTENT_POLICY,
        400,
        False,
    ),
    (413, {"error": {"type": "request_too_large"}}, Code.VENDOR_TOO_LARGE, 413, False),
    (422, {"detail": [{"msg": "Extra inputs are not permitted"}]}, Code.VENDOR_REFUSED, 422, False),
    (429, {"error": {"message": "slow down"}}, Code.UPSTREAM_RATE_LIMIT, 429, True),
    (529, {"error": {"type": "overloaded_error"}}, Code.UPSTREAM_OVERLOADED, 503, True),
    (503, {"error": {"status": "UNAVAILABLE"}}, Code.UPSTREAM_OVERLOADED, 503, True),
    (498, {"error": {"code": "capacity_exceeded"}}, Code.UPSTREAM_OVERLOADED, 503, True),
    (500, {"error": {"type": "server_error"}}, Code.UPSTREAM_ERROR, 502, True),
    (500, b"<html>oops", Code.UPSTREAM_INVALID, 502, True),
    (502, b"", Code.UPSTREAM_INVALID, 502, True),
    (504, b"gateway timeout", Code.UPSTREAM_TIMEOUT, 504, True),
    (408, {"error": {"type": "timeout_error"}}, Code.UPSTREAM_TIMEOUT, 504, True),
    (418, {"error": {"message": "teapot"}}, Code.UPSTREAM_ERROR, 502, True),
    (302, b"", Code.UPSTREAM_INVALID, 502, True),
    # HTTP 200 with an error inside
    (200, {"error": {"code": 429, "message": "slow"}}, Code.UPSTREAM_RATE_LIMIT, 429, True),
    (
        200,
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        Code.UPSTREAM_OVERLOADED,
        503,
        True,
    ),
    (
        200,
        {"error": {"code": 400, "message": "Token limit reached"}},
        Code.CONTEXT_LENGTH,
        400,
        False,
    ),
    (200, {"base_resp": {"status_code": 1008, "status_msg": "x"}}, Code.UPSTREAM_ERROR, 502, True),
    (200, {"base_resp": {"status_msg": "insufficient balance"}}, Code.UPSTREAM_AUTH, 502, True),
    (
        200,
        {"type": "response.failed", "response": {"error": {"code": "server_error"}}},
        Code.UPSTREAM_ERROR,
        502,
        True,
    ),
    (200, [{"error": {"code": 503, "status": "UNAVAILABLE"}}], Code.UPSTREAM_OVERLOADED, 503, True),
    (200, b"{", Code.UPSTREAM_INVALID, 502, True),
    (200, b"[]", Code.UPSTREAM_INVALID, 502, True),
    (200, b'"text"', Code.UPSTREAM_INVALID, 502, True),
    (200, {"error": []}, Code.UPSTREAM_ERROR, 502, True),
    (200, {"error": None, "message": 5}, Code.UPSTREAM_ERROR, 502, True),
]


@pytest.mark.parametrize(("status", "body", "code", "client_status", "is_retryable"), ROWS)
def test_vendor_errors(status, body, code, client_status, is_retryable):
    error = vendor(status, body)
    assert error.code is code
    assert error.status == client_status
    assert error.is_retryable is is_retryable
    assert error.message


# The recorded error answers that are neither 401 nor an unknown model, by the tail of their id.
RECORDED = {
    "286b26578f59": (Code.VENDOR_REFUSED, 400),
    "02144bd9776d": (Code.IMAGE_DOWNLOAD, 400),
    "49ee440d5f54": (Code.CONTEXT_LENGTH, 400),
    "c424078803cf": (Code.UPSTREAM_AUTH, 502),
    "5a833d240d18": (Code.UPSTREAM_AUTH, 502),
    "cb6f4328bc63": (Code.UPSTREAM_RATE_LIMIT, 429),
    "9328c7c2acbb": (Code.UPSTREAM_RATE_LIMIT, 429),
    "2424ed7fe99b": (Code.UPSTREAM_RATE_LIMIT, 429),
    "dac38e07f5e4": (Code.UPSTREAM_MODEL, 503),
    "c44462473693": (Code.UNSUPPORTED_IMAGE, 400),
    "2d75360c1113": (Code.VENDOR_REFUSED, 400),
    "4a0f678f6545": (Code.VENDOR_REFUSED, 400),
    "236edd03aa38": (Code.VENDOR_REFUSED, 400),
    "702e9cac1967": (Code.VENDOR_REFUSED, 400),
    "afe2b81577d2": (Code.VENDOR_REFUSED, 400),
}
BY_STATUS = {401: (Code.UPSTREAM_AUTH, 502), 404: (Code.UPSTREAM_MODEL, 503)}


def test_every_recorded_error_is_classified():
    failed = [case for case in recordings.cases() if case["response"]["status"] != 200]
    assert len(failed) >= 40
    for case in failed:
        answer = case["response"]
        error = vendor(answer["status"], answer["body"].encode(), answer["headers"])
        expected = RECORDED.get(case["id"][-12:]) or BY_STATUS[answer["status"]]
        assert (error.code, error.status) == expected, case["id"]
        if not error.is_retryable:
            # The caller's own fault: the vendor's own words, byte for byte.
            assert error.body == answer["body"].encode(), case["id"]
        else:
            assert error.body is None, case["id"]
            _, _, body = errors.envelope(error, family=Family.OPENAI, request_id="r")
            assert b"key" not in body.replace(b"your key's", b"").lower(), case["id"]


def test_a_recorded_error_inside_a_200_stream_is_read():
    chunk = {"error": {"code": 400, "message": "Token limit reached"}, "choices": []}
    assert vendor(200, chunk).code is Code.CONTEXT_LENGTH


@pytest.mark.parametrize(
    ("headers", "body", "wait_s"),
    [
        ({"retry-after": "7"}, {}, 7),
        ({"Retry-After": "1.2"}, {}, 2),
        ({"retry-after-ms": "2500", "retry-after": "60"}, {}, 3),
        ({"retry-after": "-5"}, {}, 0),
        ({"retry-after": "9" * 30}, {}, 86_400),
        ({"retry-after": "nan"}, {}, None),
        (
            {
                "retry-after": "Mon, 23 Nov 2026 10:00:30 GMT",
                "date": "Mon, 23 Nov 2026 10:00:00 GMT",
            },
            {},
            30,
        ),
        ({"retry-after": "Mon, 23 Nov 2026 10:00:30 GMT"}, {}, None),
        ({}, {"error": {"details": [{"retryDelay": "48s"}]}}, 48),
        ({}, {"error": {"details": [{"retryDelay": "0.3s"}]}}, 1),
        ({}, {"error": {"details": "x"}}, None),
        ({}, {}, None),
    ],
)
def test_reads_how_long_to_wait(headers, body, wait_s):
    error = vendor(429, body, headers)
    assert error.code is Code.UPSTREAM_RATE_LIMIT
    assert error.retry_after_s == wait_s


@pytest.mark.parametrize(
    "secret",
    [
        "invalid-*****2345",
        "sk-proj-abcdefghijkl123456",
        "org-AbCdEfGh12345678",
        "proj_AbCdEfGh12345678",
        "projects/my-secret-project",
        "project_number:123456789",
        "team 0f8fad5b-d9cb-469f-a165-70867728950e",
        "accounts/acme",
        "acme-eu.openai.azure.com",
        "owner@example.com",
    ],
)
def test_what_tells_of_our_account_is_cut_out_of_what_is_passed_on(secret):
    error = vendor(400, {"error": {"message": f"Bad field in {secret} here.", "code": "x"}})
    assert error.code is Code.VENDOR_REFUSED
    assert error.body is not None
    assert secret.encode() not in error.body
    assert b"[removed]" in error.body
    assert secret not in error.message
    assert json.loads(error.body)["error"]["code"] == "x"


def test_words_of_the_caller_cannot_fail_our_key():
    told = "Invalid value: 'Incorrect API key provided: insufficient balance'"
    error = vendor(400, {"error": {"message": told, "param": "tools[0].name"}})
    assert error.code is Code.VENDOR_REFUSED


def test_a_body_that_is_no_json_is_not_passed_on():
    error = vendor(400, b"<html>internal.host.example</html>")
    assert error.code is Code.VENDOR_REFUSED
    assert error.body is None
    _, _, body = errors.envelope(error, family=Family.ANTHROPIC, request_id="r")
    assert b"internal.host" not in body


def test_neither_the_text_nor_the_body_shows_in_a_traceback():
    error = vendor(400, {"error": {"message": "canary prompt"}})
    assert "canary" not in str(error)
    assert b"canary" in (error.body or b"")


@pytest.mark.parametrize(
    ("code", "openai_class", "anthropic_class"),
    [
        (Code.INVALID_KEY, openai.AuthenticationError, anthropic.AuthenticationError),
        (Code.MODEL_NOT_FOUND, openai.NotFoundError, anthropic.NotFoundError),
        (Code.RATE_LIMITED, openai.RateLimitError, anthropic.RateLimitError),
        (Code.VENDOR_HANDLE, openai.BadRequestError, anthropic.BadRequestError),
        (Code.UPSTREAM_ERROR, openai.InternalServerError, anthropic.InternalServerError),
    ],
)
def test_official_sdks_raise_their_own_class(code, openai_class, anthropic_class):
    error = RelayError(code=code, message="What, why, what to do.", param="model")

    def answer(family):
        status, headers, body = errors.envelope(error, family=family, request_id="r1")
        return httpx2.MockTransport(
            lambda _: httpx2.Response(status, headers=headers, content=body)
        )

    with (
        openai.OpenAI(
            api_key="k",
            base_url="http://localhost/v1",
            max_retries=0,
            http_client=httpx2.Client(transport=answer(Family.OPENAI)),
        ) as client,
        pytest.raises(openai_class) as caught,
    ):
        client.models.list()
    assert caught.value.code == code.value
    assert caught.value.param == "model"

    with (
        anthropic.Anthropic(
            api_key="k",
            base_url="http://localhost",
            max_retries=0,
            http_client=httpx2.Client(transport=answer(Family.ANTHROPIC)),
        ) as client,
        pytest.raises(anthropic_class) as caught,
    ):
        client.models.list()
    assert caught.value.body["error"]["message"] == "What, why, what to do."


def test_the_page_for_users_tells_the_table_as_it_is():
    page = (Path(settings.BASE_DIR) / "docs" / "wire.md").read_text()
    told = re.findall(
        r"^\| `(\w+)` \| (\d{3}) \| (\w+) \| (\w+) \| (\w+) \| .+ \|$", page, re.MULTILINE
    )
    assert told == [
        (
            code.value,
            str(TABLE[code].status),
            TABLE[code].openai_type,
            TABLE[code].anthropic_type,
            TABLE[code].gemini_status,
        )
        for code in Code
    ]
