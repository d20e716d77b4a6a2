"""What an error must look like in each dialect, by what the vendor answered (dialects, 4)."""

import json
import re
from typing import Any

from tests.conformance.normal import CHAT, GEMINI, MESSAGES, RESPONSES

OPENAI_TYPES = {
    400: "invalid_request_error", 403: "content_policy_violation", 404: "invalid_request_error",
    413: "invalid_request_error", 429: "rate_limit_error", 502: "server_error",
    503: "server_error", 504: "server_error",
}  # fmt: skip
ANTHROPIC_TYPES = {
    400: {"invalid_request_error"}, 403: {"invalid_request_error", "permission_error"},
    404: {"not_found_error"}, 413: {"invalid_request_error"}, 429: {"rate_limit_error"},
    502: {"api_error"}, 503: {"api_error", "overloaded_error"}, 504: {"timeout_error"},
}  # fmt: skip
GEMINI_STATUSES = {
    400: {"INVALID_ARGUMENT"}, 403: {"PERMISSION_DENIED", "INVALID_ARGUMENT"},
    404: {"NOT_FOUND"}, 413: {"INVALID_ARGUMENT"}, 429: {"RESOURCE_EXHAUSTED"},
    502: {"INTERNAL"}, 503: {"UNAVAILABLE"}, 504: {"DEADLINE_EXCEEDED"},
}  # fmt: skip
# Our own credential or our own name of the model was refused: never the client's fault.
OURS = ("API_KEY_INVALID", "API key not valid", "model_not_found", "Incorrect API key",
        '"code":404', "NOT_FOUND")  # fmt: skip


def wanted_statuses(status: int, body: str) -> set[int]:
    """Return the statuses that a vendor's error may become."""
    if status == 429:
        return {429}
    if status in (401, 402, 404) or any(mark in body for mark in OURS):
        return {502, 503}
    if status == 403:
        return {403, 503}
    return {400} if status in (400, 409, 422, 424) else {status, 502}


def faults(dialect: str, *, status: int, body: bytes, vendor_body: str) -> list[str]:
    """Return what is wrong with an error that a client of `dialect` received."""
    try:
        told = json.loads(body)
        checks = {CHAT: _openai, RESPONSES: _openai, MESSAGES: _anthropic, GEMINI: _gemini}
        found = checks[dialect](told, status)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return [f"no envelope of {dialect} ({error!r}): {body[:200]!r}"]
    for secret in secrets(vendor_body):
        if secret in body.decode():
            found.append(f"tells of our account: {secret[:6]}...")
    return found


def secrets(vendor_body: str) -> list[str]:
    """Return what in a vendor's error names our account: masked keys, organizations, projects."""
    pattern = r"[\w-]*\*{3,}\w*|org-\w{6,}|proj_\w{6,}|projects/[\w-]+"
    return re.findall(pattern, vendor_body)


def _openai(told: dict[str, Any], status: int) -> list[str]:
    error = told["error"]
    missing = {"message", "type", "param", "code"} - set(error)
    found = [f"lacks {sorted(missing)}"] if missing else []
    if not error["message"] or not isinstance(error["message"], str):
        found.append("no message")
    if error["type"] != OPENAI_TYPES.get(status, error["type"]):
        found.append(f"type {error['type']} at {status}")
    return found


def _anthropic(told: dict[str, Any], status: int) -> list[str]:
    error = told["error"]
    found = [] if told["type"] == "error" and error["message"] else ["no error"]
    if "request_id" not in told:
        found.append("no request_id")
    if error["type"] not in ANTHROPIC_TYPES.get(status, {error["type"]}):
        found.append(f"type {error['type']} at {status}")
    return found


def _gemini(told: dict[str, Any], status: int) -> list[str]:
    error = told["error"]
    found = [] if error["message"] else ["no message"]
    if error["code"] != status:
        found.append(f"code {error['code']} at {status}")
    if error["status"] not in GEMINI_STATUSES.get(status, {error["status"]}):
        found.append(f"status {error['status']} at {status}")
    return found
