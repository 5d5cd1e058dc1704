"""The retry policy: one table from kinds of refusal to the next step and the account's cooldown.

Four kinds of fault are distinguished: of the request, transient, spent quota, broken credential.
Deciding is pure; `exchange.dispatch` carries out the verdict, `pool.health.outcomes` records the
outcome of the account.
"""

import enum
import re
from collections.abc import Collection
from typing import Final

import msgspec

from codex_proapi.commons.accounts.model import AccountState, CooldownReason
from codex_proapi.gateway.formats.codex.public_errors import MODEL_NOT_FOUND, MODEL_WORDS
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.policy.transport_faults import (
    SOCKET_BROKEN,
    SOCKET_LOST,
    STALE_CONNECTION,
    TIMED_OUT,
    UNREACHABLE,
)

MINUTE: Final = 60.0
HOUR: Final = 3600.0
LONGEST_RATE_WAIT: Final = 10 * MINUTE
"""Upper bound of a rate limit's cooldown in seconds, whatever its Retry-After says."""


class Verdict(enum.StrEnum):
    """The next step after a refusal."""

    SAME_ACCOUNT_FRESH = "same_account_fresh"
    """Retry on the same account with a refreshed credential."""
    SAME_ACCOUNT_AGAIN = "same_account_again"
    """Retry on the same account with the change that the decision names."""
    NEXT_ACCOUNT = "next_account"
    """Try another account."""
    GIVE_UP = "give_up"
    """Stop: other accounts would refuse too, or must not be tried."""


class Fault(enum.StrEnum):
    """The cause of a refusal."""

    REQUEST = "request"
    TRANSIENT = "transient"
    QUOTA = "quota"
    CREDENTIAL = "credential"


class Change(enum.StrEnum):
    """A change with which the same account is tried once more, before the verdict applies."""

    NEW_CONNECTION = "new_connection"
    """The same request on a new connection, at once, as upstream has not seen it."""
    NOTHING = "nothing"
    """None: the same request, after a pause."""
    CREDENTIAL = "credential"
    """A refreshed credential."""
    WITHOUT_ENCRYPTED = "without_encrypted"
    """Without encrypted items, which only the account that made them can read."""
    OTHER_SHAPE = "other_shape"
    """In the other of the two request shapes."""
    WITHOUT_PARAMETER = "without_parameter"
    """Without the parameter the refusal names."""
    WITHOUT_TIER = "without_tier"
    """Without a service tier."""
    WITHOUT_TOOL_SEARCH = "without_tool_search"
    """With the client's tool search as a function, and its tools at the top level."""


class RefusalKind(enum.StrEnum):
    """Kinds of refusal: the rows of the table."""

    REQUEST = "request"
    PARAMETER = "parameter"
    ENCRYPTED = "encrypted"
    SHAPE = "shape"
    TIER = "tier"
    TOOL_SEARCH = "tool_search"
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
    NO_PATH = "no_path"
    UNREACHABLE = "unreachable"
    CONNECT_TIMEOUT = "connect_timeout"
    STALE_CONNECTION = "stale_connection"
    SOCKET_LOST = "socket_lost"
    SOCKET_BROKEN = "socket_broken"
    TIMEOUT = "timeout"
    TRANSIENT = "transient"


class RetryRule(msgspec.Struct, frozen=True):
    """How one kind of refusal is handled."""

    fault: Fault
    then: Verdict
    """The verdict, after `once`."""
    once: Change | None = None
    """The change tried first, once, on the same account."""
    cooldown: CooldownReason | None = None
    """Reason of the account's cooldown; None for no cooldown."""
    seconds: float = 0.0
    """Length of the cooldown, unless upstream named a time."""
    model_only: bool = False
    """Whether the cooldown holds for the requested model only."""
    state: AccountState | None = None
    """The state of the account's login that follows from it."""
    counts: bool = False
    """Whether it counts as a fault in the account's circuit breaker."""
    egress: bool = False
    """Whether it concerns the egress address, not the account."""
    unreachable: bool = False
    """Whether it concerns this replica's connection to the backend, not the account."""


class RetryDecision(msgspec.Struct, frozen=True, kw_only=True):
    """The decision on one refusal. Only a final one (without `change`) affects the account."""

    kind: RefusalKind
    verdict: Verdict
    row: RetryRule
    change: Change | None = None
    """The change for the retry on the same account; None if the decision is final."""
    seconds: float = 0.0
    """Length of the cooldown."""


TABLE: Final[dict[RefusalKind, RetryRule]] = {
    # The client's own mistakes: one account, nobody blamed. Flagged prompts are never spread.
    RefusalKind.REQUEST: RetryRule(Fault.REQUEST, Verdict.GIVE_UP),
    RefusalKind.CLIENT_TOO_OLD: RetryRule(Fault.REQUEST, Verdict.GIVE_UP),
    RefusalKind.PARAMETER: RetryRule(Fault.REQUEST, Verdict.GIVE_UP, once=Change.WITHOUT_PARAMETER),
    RefusalKind.ENCRYPTED: RetryRule(Fault.REQUEST, Verdict.GIVE_UP, once=Change.WITHOUT_ENCRYPTED),
    RefusalKind.SHAPE: RetryRule(Fault.REQUEST, Verdict.GIVE_UP, once=Change.OTHER_SHAPE),
    RefusalKind.TIER: RetryRule(Fault.REQUEST, Verdict.GIVE_UP, once=Change.WITHOUT_TIER),
    RefusalKind.TOOL_SEARCH: RetryRule(
        Fault.REQUEST, Verdict.GIVE_UP, once=Change.WITHOUT_TOOL_SEARCH
    ),
    RefusalKind.MODEL_NOT_IN_PLAN: RetryRule(
        Fault.REQUEST,
        Verdict.NEXT_ACCOUNT,
        cooldown=CooldownReason.ENTITLEMENT,
        seconds=6 * HOUR,
        model_only=True,
    ),
    # The login.
    RefusalKind.EXPIRED: RetryRule(
        Fault.CREDENTIAL,
        Verdict.NEXT_ACCOUNT,
        once=Change.CREDENTIAL,
        cooldown=CooldownReason.CREDENTIAL,
        seconds=10 * MINUTE,
    ),
    RefusalKind.SESSION: RetryRule(
        Fault.CREDENTIAL,
        Verdict.NEXT_ACCOUNT,
        once=Change.CREDENTIAL,
        cooldown=CooldownReason.CREDENTIAL,
        seconds=10 * MINUTE,
        state=AccountState.REVOKED,
    ),
    RefusalKind.DEACTIVATED: RetryRule(
        Fault.CREDENTIAL, Verdict.NEXT_ACCOUNT, state=AccountState.DEACTIVATED
    ),
    RefusalKind.FORBIDDEN: RetryRule(
        Fault.CREDENTIAL,
        Verdict.NEXT_ACCOUNT,
        cooldown=CooldownReason.ENTITLEMENT,
        seconds=20 * MINUTE,
    ),
    # Our address.
    RefusalKind.CHALLENGE: RetryRule(
        Fault.TRANSIENT, Verdict.NEXT_ACCOUNT, once=Change.NOTHING, egress=True
    ),
    RefusalKind.COUNTRY: RetryRule(Fault.TRANSIENT, Verdict.GIVE_UP, egress=True),
    # Our way to the backend: every account has the same host, so none is blamed or asked instead.
    RefusalKind.UNREACHABLE: RetryRule(
        Fault.TRANSIENT, Verdict.GIVE_UP, once=Change.NOTHING, unreachable=True
    ),
    RefusalKind.CONNECT_TIMEOUT: RetryRule(Fault.TRANSIENT, Verdict.GIVE_UP, unreachable=True),
    RefusalKind.STALE_CONNECTION: RetryRule(
        Fault.TRANSIENT, Verdict.NEXT_ACCOUNT, once=Change.NEW_CONNECTION
    ),
    RefusalKind.SOCKET_LOST: RetryRule(
        Fault.TRANSIENT, Verdict.NEXT_ACCOUNT, once=Change.NEW_CONNECTION
    ),
    RefusalKind.SOCKET_BROKEN: RetryRule(Fault.TRANSIENT, Verdict.GIVE_UP),
    # Quota and load.
    RefusalKind.SPENT: RetryRule(
        Fault.QUOTA, Verdict.NEXT_ACCOUNT, cooldown=CooldownReason.QUOTA, seconds=HOUR
    ),
    RefusalKind.MODEL_SPENT: RetryRule(
        Fault.QUOTA,
        Verdict.NEXT_ACCOUNT,
        cooldown=CooldownReason.QUOTA,
        seconds=HOUR,
        model_only=True,
    ),
    RefusalKind.NOT_INCLUDED: RetryRule(
        Fault.QUOTA,
        Verdict.NEXT_ACCOUNT,
        cooldown=CooldownReason.ENTITLEMENT,
        seconds=6 * HOUR,
    ),
    RefusalKind.RATE: RetryRule(
        Fault.QUOTA, Verdict.NEXT_ACCOUNT, cooldown=CooldownReason.RATE, seconds=30.0
    ),
    RefusalKind.CAPACITY: RetryRule(Fault.TRANSIENT, Verdict.NEXT_ACCOUNT, once=Change.NOTHING),
    RefusalKind.NO_PATH: RetryRule(Fault.TRANSIENT, Verdict.NEXT_ACCOUNT, once=Change.NOTHING),
    # The same account has let us wait once: it is not asked to do so again.
    RefusalKind.TIMEOUT: RetryRule(Fault.TRANSIENT, Verdict.NEXT_ACCOUNT, counts=True),
    RefusalKind.TRANSIENT: RetryRule(
        Fault.TRANSIENT, Verdict.NEXT_ACCOUNT, once=Change.NOTHING, counts=True
    ),
}

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

_OF_TOOL_SEARCH: Final = re.compile(r"tool_search|defer_loading")
_PARAMETER: Final = re.compile(r"^Un(?:supported|known) parameter:?\s+'?([\w.\[\]]+)")


def decide(
    refusal: Refusal, *, now: float, tried: Collection[Change] = (), outdated: bool = False
) -> RetryDecision:
    """Decide what follows a refusal.

    `now` is seconds since the epoch; `tried` are the changes already tried on this account;
    `outdated` says that the model takes no client as old as the version we send.
    """
    kind = kind_of(refusal)
    if outdated and _may_mean_old_client(kind, refusal):
        kind = RefusalKind.CLIENT_TOO_OLD
    elif Change.WITHOUT_TOOL_SEARCH not in tried and _may_mean_tool_search(kind, refusal):
        kind = RefusalKind.TOOL_SEARCH
    row = TABLE[kind]
    if row.once is not None and row.once not in tried:
        fresh = row.once is Change.CREDENTIAL
        return RetryDecision(
            kind=kind,
            verdict=Verdict.SAME_ACCOUNT_FRESH if fresh else Verdict.SAME_ACCOUNT_AGAIN,
            row=row,
            change=row.once,
        )
    return RetryDecision(kind=kind, verdict=row.then, row=row, seconds=_seconds(row, refusal, now))


def _may_mean_tool_search(kind: RefusalKind, refusal: Refusal) -> bool:
    """Whether the backend may so refuse the native form of a tool search, which not all models take."""
    if refusal.status not in {400, 422}:
        return False
    named = f"{refusal.message} {refusal.param or ''}"
    of_tools = kind is RefusalKind.REQUEST and (refusal.param or "").startswith("tools")
    return of_tools or _OF_TOOL_SEARCH.search(named) is not None


def _may_mean_old_client(kind: RefusalKind, refusal: Refusal) -> bool:
    """Whether the backend so refuses a client that is too old for a model, too.

    It says that the plan lacks the model, or that there is no such model (CLIProxyAPI#5521,
    codex-pooler#140).
    """
    if kind is RefusalKind.SHAPE:
        return refusal.code == MODEL_NOT_FOUND or refusal.message.startswith(MODEL_WORDS)
    return kind is RefusalKind.MODEL_NOT_IN_PLAN


_TIMED_OUT = ("timeout", "proxy: timeout")


def kind_of(refusal: Refusal) -> RefusalKind:
    """The kind of a refusal: by code, by fixed wording, by status, in this order."""
    if refusal.is_html and refusal.status in {401, 403, 429}:
        return RefusalKind.CHALLENGE
    if refusal.code == UNREACHABLE and refusal.cause.startswith(_TIMED_OUT):
        return RefusalKind.CONNECT_TIMEOUT
    # The more telling of two: `type: usage_limit_reached` may come with a rate limit's code.
    kinds = [KIND_OF_CODE.get(word) for word in (refusal.type, refusal.code)]
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


def parameter_of(refusal: Refusal) -> str:
    """The parameter that a refusal names; empty if none."""
    found = _PARAMETER.match(refusal.message)
    return found[1] if found else refusal.param or ""


def _kind_of_words(message: str) -> RefusalKind | None:
    return next((kind for words, kind in KIND_OF_WORDS if words.search(message)), None)


def _seconds(row: RetryRule, refusal: Refusal, now: float) -> float:
    """Length of the cooldown in seconds: upstream's figure if it gave one, else the row's."""
    if row.cooldown is CooldownReason.QUOTA:
        return refusal.wait(now) or row.seconds
    if row.cooldown is CooldownReason.RATE and refusal.retry_after is not None:
        return min(refusal.retry_after, LONGEST_RATE_WAIT)
    return row.seconds
