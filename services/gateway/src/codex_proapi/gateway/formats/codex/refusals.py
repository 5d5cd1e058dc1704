"""Decodes refusals of the backend: a status with a body, or an event inside a 200.

A `Refusal` is a value. `policy.retry` decides what follows, `policy.final_error` what the client
receives.
"""

import base64
import binascii
import email.utils
import math
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from codex_proapi.commons.codex.quota_parser import Quota, quota_of_headers
from codex_proapi.commons.runtime.lenient_json import DECODE_ERRORS, read_any
from codex_proapi.gateway.formats.codex.events import ResponseFailed, UpstreamErrorEvent

MESSAGE_LIMIT: Final = 2000
_CREDENTIALS: Final = re.compile(
    r"\bBearer\s+\S+|\beyJ[\w-]{6,}(?:\.[\w-]*)*|\b(?:rt_|sk-)[\w.-]{8,}"
)
"""Replaces tokens in messages: refusals may quote the account's token, and clients receive them."""
_OWN_TEXT: Final = re.compile(
    r"[\w.+-]+@[\w.-]+|'[^']{25,}'|\"[^\"]{25,}\"|`[^`]{25,}`|“[^”]{25,}”|\S{49,}"
)
LOG_WORDS: Final = 160
"""Most characters of a refusal's message in a log line."""
FARTHEST_RESET: Final = 366 * 86_400
"""Seconds; a reset further away is ignored as an error."""

IMAGE_CODES: Final = frozenset(
    {
        *("invalid_image", "invalid_image_format", "invalid_base64_image", "invalid_image_url"),
        *("invalid_image_mode", "image_too_large", "image_too_small", "image_parse_error"),
        *("image_content_policy_violation", "image_file_too_large", "image_file_not_found"),
        *("unsupported_image_media_type", "empty_image_file", "failed_to_download_image"),
    }
)
"""Codes of an image that is not taken, as OpenAI's API reference lists them (November 2026)."""
STATUS_OF_CODE: Final[dict[str, int]] = {
    **dict.fromkeys(IMAGE_CODES, 400),
    "context_length_exceeded": 400,
    "invalid_prompt": 400,
    "cyber_policy": 400,
    "bio_policy": 400,
    "content_policy_violation": 400,
    "misalignment_policy_violation": 400,
    "invalid_encrypted_content": 400,
    "invalid_request_error": 400,
    "previous_response_not_found": 400,
    "token_expired": 401,
    "token_invalidated": 401,
    "token_revoked": 401,
    "account_deactivated": 401,
    "deactivated_workspace": 402,
    "model_not_found": 404,
    "rate_limit_exceeded": 429,
    "slow_down": 429,
    "usage_limit_reached": 429,
    "usage_not_included": 429,
    "insufficient_quota": 429,
    "credit_balance_exhausted": 429,
    "organization_spend_limit_exceeded": 429,
    "project_spend_limit_exceeded": 429,
    "organization_usage_limit_exceeded": 429,
    "flex_unavailable": 429,
    "server_error": 500,
    "server_is_overloaded": 503,
}
"""Code of a refusal inside a stream to its HTTP status; 502 for others."""

_UNIT: Final = r"(?:milliseconds?|ms|minutes?|mins?|m|seconds?|secs?|s|hours?|h)(?![a-z])"
_TRY_AGAIN: Final = re.compile(rf"try again in ((?:\d+(?:\.\d+)?\s*{_UNIT}[\s,]*)+)", re.IGNORECASE)
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(milli|ms|m|s|h)", re.IGNORECASE)
_SECONDS: Final = {"ms": 0.001, "milli": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One refusal, before or after a 200."""

    status: int
    """The HTTP status; of a refusal inside a stream that of its code."""
    code: str = ""
    """`error.code`, or the field the backend used instead; empty if missing."""
    type: str = ""
    """`error.type`."""
    message: str = ""
    """Upstream's message, at most 2000 characters; empty for HTML."""
    param: str | None = None
    """The parameter it names (`error.param`)."""
    retry_after: float | None = None
    """Seconds to wait, from a header, else from the message; None if missing."""
    resets_at: int | None = None
    """Reset of the spent window, seconds since the epoch, unchecked."""
    resets_in: int | None = None
    """The same in seconds from the response."""
    plan: str = ""
    """The account's plan, if given."""
    is_html: bool = False
    """Whether the body is HTML instead of JSON: a challenge or an error of the edge, not the account."""
    in_stream: bool = False
    """Whether it came inside a 200."""
    quota: Quota | None = None
    """The windows in its headers."""
    cause: str = ""
    """Why no connection could be made: `dns`, `tcp`, `tls` or `timeout`, then the system's message."""
    late: bool = False
    """Of a fault of the transport: whether the backend has had time to work on the request."""

    def names(self, *words: str) -> bool:
        """Whether its code or type is one of these."""
        return self.code in words or self.type in words

    def wait(self, now: float) -> float | None:
        """Seconds until its reset, from the first of its sources with a plausible value."""
        if self.resets_at is not None and now < self.resets_at < now + FARTHEST_RESET:
            return self.resets_at - now
        if self.resets_in is not None and 0 < self.resets_in < FARTHEST_RESET:
            return float(self.resets_in)
        window = self.quota.spent_window if self.quota else None
        if window is None:
            return None
        if now < window.resets_at < now + FARTHEST_RESET:
            return window.resets_at - now
        return float(window.resets_in) if window.resets_in else None


def decode_refusal(status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
    """The refusal in a response with a status other than 200."""
    lower = {name.lower(): value for name, value in headers.items()}
    is_html = _is_html(lower, body)
    found = {} if is_html else _fields(_json(body))
    if not found.get("code"):
        found = _fields(_json(_unwrapped(lower.get("x-error-json", "")))) | found
    if not found and not is_html:
        found = {"message": body[: 4 * MESSAGE_LIMIT].decode(errors="replace").strip()}
    found.setdefault("code", lower.get("x-openai-authorization-error", ""))
    return _refusal(status, found, headers=lower, is_html=is_html)


def words_of(refusal: Refusal) -> str:
    """Upstream's message for a log line: one line of at most `LOG_WORDS` characters.

    Credentials are replaced already; this also replaces addresses, quoted text and long words, which
    may be the client's.
    """
    if not refusal.status or refusal.is_html:
        return ""
    text = _OWN_TEXT.sub("…", " ".join(refusal.message.split()))
    return "".join(letter for letter in text if letter.isprintable())[:LOG_WORDS]


def refusal_of_event(event: ResponseFailed | UpstreamErrorEvent) -> Refusal:
    """The refusal in a terminal event of a stream."""
    headers: Mapping[str, str] = {}
    status = 0
    if isinstance(event, ResponseFailed):
        response = _mapping(_json(event.response))
        found = _fields({"error": response.get("error")})
    else:
        body = _mapping(_json(event.body))
        found = _fields(body if body.get("error") else {"error": {**body, "type": None}})
        status = _integer(body.get("status")) or _integer(body.get("status_code")) or 0
        headers = _headers_of_frame(body.get("headers"))
    word = found.get("code") or found.get("type") or ""
    return _refusal(status or STATUS_OF_CODE.get(word, 502), found, headers=headers, in_stream=True)


def _headers_of_frame(value: object) -> dict[str, str]:
    """The headers in an error's event; numbers and booleans are written as in JSON."""
    return {
        name.lower(): each if isinstance(each, str) else str(each)
        for name, each in _mapping(value).items()
        if isinstance(each, str | int | float)
    }


def _refusal(
    status: int,
    found: Mapping[str, Any],
    *,
    headers: Mapping[str, str],
    is_html: bool = False,
    in_stream: bool = False,
) -> Refusal:
    message = _CREDENTIALS.sub("[hidden]", str(found.get("message", ""))[:MESSAGE_LIMIT])
    wait = _wait_of_headers(headers)
    return Refusal(
        status=status,
        code=found.get("code", ""),
        type=found.get("type", ""),
        message=message,
        param=found.get("param"),
        retry_after=_wait_of_text(message) if wait is None else wait,
        resets_at=_integer(found.get("resets_at")),
        resets_in=_integer(found.get("resets_in_seconds")),
        plan=found.get("plan_type") or headers.get("x-codex-plan-type", ""),
        is_html=is_html,
        in_stream=in_stream,
        quota=quota_of_headers(headers),
    )


def _fields(body: object) -> dict[str, Any]:
    """The non-empty fields of an error, in any of the places where bodies have them."""
    whole = _mapping(body)
    error = whole.get("error") or whole.get("detail") or whole
    if isinstance(error, str):
        described = whole.get("error_description")
        is_code = isinstance(whole.get("error"), str) and _CODE.fullmatch(error)
        found = {"code": error, "message": described} if is_code else {"message": error}
    elif isinstance(error, list):
        # A validation error of the web framework: one entry for each field.
        complaints = [_mapping(entry).get("msg") for entry in error]
        found = {"message": "; ".join(text for text in complaints if isinstance(text, str))}
    else:
        found = dict(_mapping(error))
    code = found.get("code")
    texts = {
        "code": str(code) if isinstance(code, str | int) and not isinstance(code, bool) else "",
        **{name: found.get(name) for name in ("type", "message", "param", "plan_type")},
    }
    fields: dict[str, Any] = {
        name: value for name, value in texts.items() if isinstance(value, str) and value
    }
    for name in ("resets_at", "resets_in_seconds"):
        if (number := _integer(found.get(name))) is not None:
            fields[name] = number
    return fields


def _wait_of_headers(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by `retry-after-ms` or `retry-after`, which may be a date."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    until, now = _moment(headers.get("retry-after")), _moment(headers.get("date"))
    if until is None or now is None or until - now > FARTHEST_RESET:
        return None
    return max(0.0, until - now)


def _moment(date: str | None) -> float | None:
    """An HTTP date as seconds; compared only with dates of the same response, not with our clock."""
    try:
        parts = email.utils.parsedate_tz(date) if date else None
        return None if parts is None else float(email.utils.mktime_tz(parts))
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _wait_of_text(message: str) -> float | None:
    """Seconds in "Please try again in 1.1s", the only place for them in a refusal inside a stream."""
    found = _TRY_AGAIN.search(message)
    if found is None:
        return None
    return sum(float(number) * _SECONDS[unit.lower()] for number, unit in _SPAN.findall(found[1]))


def _is_html(headers: Mapping[str, str], body: bytes) -> bool:
    kind = headers.get("content-type", "").lower()
    return (
        "text/html" in kind
        or "cf-mitigated" in headers
        or body[:256].lstrip().lower().startswith((b"<!doctype html", b"<html"))
    )


def _unwrapped(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _json(payload: bytes | msgspec.Raw) -> object:
    try:
        return read_any(payload)
    except DECODE_ERRORS:
        return None


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _integer(value: object) -> int | None:
    """A finite number as an integer, also one written as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return int(number) if math.isfinite(number) else None
