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
from codex_proapi.gateway.policy.refusal_kinds import RefusalKind, kind_of

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
    SUBSTITUTION = "substitution"


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
    WITHOUT_IMAGES = "without_images"
    """With a note in the place of each image before the last item."""


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
    late: bool = False
    """Whether the request may have been worked on: an exchange sends it again only once."""


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
    RefusalKind.IMAGE: RetryRule(Fault.REQUEST, Verdict.GIVE_UP, once=Change.WITHOUT_IMAGES),
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
    # The backend may have worked on it: one other account, once, and never the same.
    RefusalKind.LOST_LATE: RetryRule(Fault.TRANSIENT, Verdict.NEXT_ACCOUNT, counts=True, late=True),
    RefusalKind.SOCKET_LATE: RetryRule(Fault.TRANSIENT, Verdict.NEXT_ACCOUNT, late=True),
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
    # Its rest is recorded with every substitution, dropped or not (`outcomes.record_substitution`).
    RefusalKind.SUBSTITUTED: RetryRule(Fault.SUBSTITUTION, Verdict.NEXT_ACCOUNT),
    RefusalKind.NO_PATH: RetryRule(Fault.TRANSIENT, Verdict.NEXT_ACCOUNT, once=Change.NOTHING),
    # The same account has let us wait once: it is not asked to do so again.
    RefusalKind.TIMEOUT: RetryRule(Fault.TRANSIENT, Verdict.NEXT_ACCOUNT, counts=True),
    RefusalKind.TRANSIENT: RetryRule(
        Fault.TRANSIENT, Verdict.NEXT_ACCOUNT, once=Change.NOTHING, counts=True
    ),
}

_OF_TOOL_SEARCH: Final = re.compile(r"tool_search|defer_loading")
_PARAMETER: Final = re.compile(r"^Un(?:supported|known) parameter:?\s+'?([\w.\[\]]+)")


def decide(
    refusal: Refusal,
    *,
    now: float,
    tried: Collection[Change] = (),
    outdated: bool = False,
    route: str = "",
) -> RetryDecision:
    """Decide what follows a refusal.

    `now` is seconds since the epoch; `tried` are the changes already tried on this account;
    `outdated` says that the model takes no client as old as the version we send; `route` is the
    backend's route that was asked instead of Responses: its faults do not count against the account.
    """
    kind = kind_of(refusal)
    if outdated and _may_mean_old_client(kind, refusal):
        kind = RefusalKind.CLIENT_TOO_OLD
    elif Change.WITHOUT_TOOL_SEARCH not in tried and _may_mean_tool_search(kind, refusal):
        kind = RefusalKind.TOOL_SEARCH
    row = TABLE[kind]
    if route and row.counts:
        row = msgspec.structs.replace(row, counts=False)
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


def parameter_of(refusal: Refusal) -> str:
    """The parameter that a refusal names; empty if none."""
    found = _PARAMETER.match(refusal.message)
    return found[1] if found else refusal.param or ""


def _seconds(row: RetryRule, refusal: Refusal, now: float) -> float:
    """Length of the cooldown in seconds: upstream's figure if it gave one, else the row's."""
    if row.cooldown is CooldownReason.QUOTA:
        return refusal.wait(now) or row.seconds
    if row.cooldown is CooldownReason.RATE and refusal.retry_after is not None:
        return min(refusal.retry_after, LONGEST_RATE_WAIT)
    return row.seconds
