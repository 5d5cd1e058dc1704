"""Kinds of refusal: what the backend, or the way to it, means by a code, fixed words or a status.

What follows from a kind is decided by `policy.retry`.
"""

import enum
import re
from typing import Final

from codex_proapi.gateway.formats.codex.refusals import IMAGE_CODES, Refusal
from codex_proapi.gateway.policy.transport_faults import (
    SOCKET_BROKEN,
    SOCKET_LOST,
    STALE_CONNECTION,
    TIMED_OUT,
    UNREACHABLE,
)

MODEL_SUBSTITUTED: Final = "model_substituted"
"""Code of an answer that was dropped because another model gives it."""


class RefusalKind(enum.StrEnum):
    """Kinds of refusal: the rows of the table."""

    REQUEST = "request"
    PARAMETER = "parameter"
    ENCRYPTED = "encrypted"
    SHAPE = "shape"
    TIER = "tier"
    TOOL_SEARCH = "tool_search"
    IMAGE = "image"
    MODEL_NOT_IN_PLAN = "model_not_in_plan"
    CLIENT_TOO_OLD = "client_too_old"
    EXPIRED = "expired"
    SESSION = "session"
    DEACTIVATED = "deactivated"
    FORBIDDEN = "forbidden"
    CHALLENGE = "challenge"
    COUNTRY = "country"
    SPENT = "spent"
    MODEL_SPENT = "model_spent"
    NOT_INCLUDED = "not_included"
    RATE = "rate"
    CAPACITY = "capacity"
    SUBSTITUTED = "substituted"
    NO_PATH = "no_path"
    UNREACHABLE = "unreachable"
    CONNECT_TIMEOUT = "connect_timeout"
    STALE_CONNECTION = "stale_connection"
    SOCKET_LOST = "socket_lost"
    SOCKET_BROKEN = "socket_broken"
    LOST_LATE = "lost_late"
    SOCKET_LATE = "socket_late"
    TIMEOUT = "timeout"
    TRANSIENT = "transient"


IF_LATE: Final = {
    RefusalKind.TRANSIENT: RefusalKind.LOST_LATE,
    RefusalKind.SOCKET_LOST: RefusalKind.SOCKET_LATE,
}
"""What a loss is if the backend has had time to work on the request: sending it again may cost twice."""

KIND_OF_CODE: Final[dict[str, RefusalKind]] = {
    **dict.fromkeys(
        (
            *("context_length_exceeded", "invalid_prompt", "cyber_policy", "bio_policy"),
            *("content_policy_violation", "misalignment_policy_violation", "content_filter"),
            *("invalid_value", "invalid_function_parameters", "invalid_type"),
        ),
        RefusalKind.REQUEST,
    ),
    "unsupported_parameter": RefusalKind.PARAMETER,
    "unknown_parameter": RefusalKind.PARAMETER,
    "invalid_encrypted_content": RefusalKind.ENCRYPTED,
    "model_not_found": RefusalKind.SHAPE,
    "unsupported_value": RefusalKind.SHAPE,
    "flex_unavailable": RefusalKind.TIER,
    **dict.fromkeys(IMAGE_CODES, RefusalKind.IMAGE),
    "token_expired": RefusalKind.EXPIRED,
    **dict.fromkeys(
        (
            *("token_invalidated", "token_revoked", "app_session_terminated"),
            *("account_session_expired", "refresh_token_invalidated", "session_expired"),
        ),
        RefusalKind.SESSION,
    ),
    "account_deactivated": RefusalKind.DEACTIVATED,
    "deactivated_workspace": RefusalKind.DEACTIVATED,
    "unsupported_country_region_territory": RefusalKind.COUNTRY,
    **dict.fromkeys(
        (
            *("usage_limit_reached", "insufficient_quota", "credit_balance_exhausted"),
            *("organization_spend_limit_exceeded", "project_spend_limit_exceeded"),
            "organization_usage_limit_exceeded",
        ),
        RefusalKind.SPENT,
    ),
    "usage_not_included": RefusalKind.NOT_INCLUDED,
    "rate_limit_exceeded": RefusalKind.RATE,
    "slow_down": RefusalKind.RATE,
    "server_is_overloaded": RefusalKind.CAPACITY,
    MODEL_SUBSTITUTED: RefusalKind.SUBSTITUTED,
    "server_error": RefusalKind.TRANSIENT,
    "previous_response_not_found": RefusalKind.TRANSIENT,
    "websocket_connection_limit_reached": RefusalKind.TRANSIENT,
    UNREACHABLE: RefusalKind.UNREACHABLE,
    STALE_CONNECTION: RefusalKind.STALE_CONNECTION,
    SOCKET_LOST: RefusalKind.SOCKET_LOST,
    SOCKET_BROKEN: RefusalKind.SOCKET_BROKEN,
    TIMED_OUT: RefusalKind.TIMEOUT,
}
"""Kinds by error code or type, which take precedence over the status."""

KIND_OF_WORDS: Final[tuple[tuple[re.Pattern[str], RefusalKind], ...]] = (
    (re.compile(r"^Un(?:supported|known) parameter\b"), RefusalKind.PARAMETER),
    (
        re.compile(r"^The '.*' model is not supported when using Codex"),
        RefusalKind.MODEL_NOT_IN_PLAN,
    ),
    (re.compile(r"requires a newer version of Codex"), RefusalKind.CLIENT_TOO_OLD),
    (re.compile(r"^Model not found\b"), RefusalKind.SHAPE),
    (re.compile(r"^Instructions are (?:required|not valid)"), RefusalKind.SHAPE),
    (re.compile(r"\b(?:account|workspace) has been deactivated"), RefusalKind.DEACTIVATED),
)
"""Kinds by fixed wording, as quoted in public issues, for refusals without a code."""

KIND_OF_STATUS: Final[dict[int, RefusalKind]] = {
    **dict.fromkeys((0, 408, 409, 425), RefusalKind.TRANSIENT),
    401: RefusalKind.EXPIRED,
    # A workspace or an account that is deactivated says so in a code or in fixed words.
    402: RefusalKind.FORBIDDEN,
    403: RefusalKind.FORBIDDEN,
    429: RefusalKind.RATE,
    503: RefusalKind.CAPACITY,
    **dict.fromkeys((504, 522, 524), RefusalKind.TIMEOUT),
}
"""Kinds by status, for refusals without a known code; others below 500 are the request's fault."""

_OF_BODY: Final = frozenset({400, 422})
_IMAGE_WORDS: Final = re.compile(r"does not represent a valid image\b")
"""Of an image that cannot be read; its code is that of any other invalid value."""
_TIMED_OUT = ("timeout", "proxy: timeout")


def kind_of(refusal: Refusal) -> RefusalKind:
    """The kind of a refusal: by code, by fixed wording, by status, in this order."""
    kind = _kind_of(refusal)
    return IF_LATE.get(kind, kind) if refusal.late and not refusal.status else kind


def _kind_of(refusal: Refusal) -> RefusalKind:
    if refusal.is_html and refusal.status in {401, 403, 429}:
        return RefusalKind.CHALLENGE
    if refusal.code == UNREACHABLE and refusal.cause.startswith(_TIMED_OUT):
        return RefusalKind.CONNECT_TIMEOUT
    # The more telling of two: `type: usage_limit_reached` may come with a rate limit's code.
    kinds = [KIND_OF_CODE.get(word) for word in (refusal.type, refusal.code)]
    if refusal.status in _OF_BODY and _IMAGE_WORDS.search(refusal.message):
        return RefusalKind.IMAGE
    if RefusalKind.SPENT in kinds and refusal.quota is not None and refusal.quota.of_some_models:
        return RefusalKind.MODEL_SPENT
    for preferred in (RefusalKind.SPENT, RefusalKind.NOT_INCLUDED):
        if preferred in kinds:
            return preferred
    known = kinds[1] or _kind_of_words(refusal.message) or kinds[0]
    if known is not None:
        return known
    if refusal.status == 404:  # noqa: PLR2004 - HTTP's own number
        if refusal.param == "model":
            return RefusalKind.SHAPE
        named = refusal.param or refusal.code
        return RefusalKind.REQUEST if named else RefusalKind.NO_PATH
    # Below 400 something between us and the backend answered, a portal or a proxy.
    default = RefusalKind.REQUEST if 400 <= refusal.status < 500 else RefusalKind.TRANSIENT  # noqa: PLR2004
    return KIND_OF_STATUS.get(refusal.status, default)


def _kind_of_words(message: str) -> RefusalKind | None:
    return next((kind for words, kind in KIND_OF_WORDS if words.search(message)), None)
