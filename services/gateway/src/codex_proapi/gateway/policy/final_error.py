"""Makes the client's error from all refusals of an exchange when no account is left to try.

The most specific refusal decides, not the last. Faults of accounts are never reported as 401 or
403, which a client would take as a fault of its own key.
"""

import math
from collections.abc import Sequence
from typing import Final

from codex_proapi.commons.balancing.candidates import NoCandidate, NoCandidateCause
from codex_proapi.commons.balancing.select_account import SHORT_WAIT
from codex_proapi.commons.owner_terms.closing import WORDS
from codex_proapi.commons.usage.calendar import UTC
from codex_proapi.gateway.errors import (
    AccountsClosed,
    AllCooling,
    AllSpent,
    GatewayError,
    LoginRenewing,
    NoAccounts,
    Truncated,
    UnknownModel,
    UpstreamRefused,
    UpstreamSlow,
    UpstreamUnreachable,
)
from codex_proapi.gateway.formats.codex.public_errors import public_error
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.policy.refusal_kinds import RefusalKind
from codex_proapi.gateway.policy.retry import Fault, RetryDecision
from codex_proapi.gateway.policy.transport_faults import (
    CONNECTION_LOST,
    SOCKET_BROKEN,
    SOCKET_LOST,
    STALE_CONNECTION,
    TIMED_OUT,
)

Refused = tuple[Refusal, RetryDecision]

_WAITING: Final = frozenset(
    {NoCandidateCause.COOLING, NoCandidateCause.SPENT, NoCandidateCause.BUSY}
)
"""Causes that end by waiting."""
_LOST: Final = frozenset({STALE_CONNECTION, SOCKET_LOST, SOCKET_BROKEN})
LONGEST_RENEWAL: Final = 15.0
"""Seconds a client is told to wait for a renewal at most: as long as a request here waits for one."""
SOON: Final = 1.0
"""Seconds to wait where another account is free but this request has tried enough of them."""


def final_error(
    refusals: Sequence[Refused], nobody: NoCandidate | None, *, now: float, plan: str = ""
) -> GatewayError:
    """Make the client's error.

    `nobody` is why no further account can be leased; None if others may be available, but this
    exchange may not try more. `plan` is named in the error if upstream named none.
    """
    # An answer that was dropped is no refusal of anybody's.
    refusals = [each for each in refusals if each[1].row.fault is not Fault.SUBSTITUTION]
    # A refusal that was answered by a change says nothing about the end.
    refusals = [each for each in refusals if each[1].change is None] or refusals[-1:]
    own = [each for each in refusals if _is_of_request(each[1])]
    if own:
        return _error_of_request(*own[-1])
    transient = [r for r, j in refusals if j.row.fault is Fault.TRANSIENT]
    if transient:
        return error_of_fault(transient[-1])
    quota = [r for r, j in refusals if j.row.fault is Fault.QUOTA]
    all_refused = [r for r, _ in refusals]
    if nobody is not None and nobody.cause is NoCandidateCause.UNENTITLED and quota:
        # Nobody's plan has Codex: no wait that a client could bear ends that.
        return UnknownModel("No account may use this model at the moment.")
    if nobody is not None and nobody.cause is NoCandidateCause.CLOSED and quota == all_refused:
        return _closed(nobody, now)
    if quota or (nobody is not None and nobody.cause in _WAITING):
        return _without_quota(quota, nobody, now=now, plan=plan)
    if refusals and all(j.kind is RefusalKind.MODEL_NOT_IN_PLAN for _, j in refusals):
        return UnknownModel(refusals[-1][0].message or "No account may use this model.")
    if nobody is not None and nobody.cause is NoCandidateCause.RENEWING:
        return _renewing(nobody, now)
    if refusals:
        return public_error(refusals[-1][0])
    return _without_accounts(nobody, now)


def _without_accounts(nobody: NoCandidate | None, now: float) -> GatewayError:
    """The error where no account was asked, and waiting does not help."""
    if nobody is not None and nobody.cause is NoCandidateCause.FORBIDDEN:
        return UpstreamRefused(
            "The backend does not serve us at the moment.",
            status=503,
            code="upstream_unavailable",
            retry_after=_bounded(nobody.until - now),
        )
    if nobody is not None and nobody.cause is NoCandidateCause.UNENTITLED:
        return UnknownModel("No account may use this model at the moment.")
    return NoAccounts(
        "There is no account that could serve this request. Add one, or sign in again, "
        "in the console."
    )


def _is_of_request(decision: RetryDecision) -> bool:
    return decision.row.fault is Fault.REQUEST and not decision.row.model_only


def _error_of_request(refusal: Refusal, decision: RetryDecision) -> GatewayError:
    """The error for a refused request; that of an old client version names the setting."""
    if decision.kind is not RefusalKind.CLIENT_TOO_OLD:
        return public_error(refusal)
    return UpstreamRefused(
        "The backend wants a newer client version for this model. "
        "The administrator can raise CODEX_CLIENT_VERSION.",
        status=400,
        code="client_too_old",
        param="model",
    )


def _renewing(nobody: NoCandidate, now: float) -> LoginRenewing:
    """The error while the credentials of all accounts are being refreshed, with a retry time."""
    seconds = math.ceil(min(_bounded(nobody.until - now), LONGEST_RENEWAL))
    return LoginRenewing(
        f"The logins of all accounts are being renewed. Please try again in {seconds}s.",
        retry_after=seconds,
    )


def _bounded(seconds: float) -> float:
    return min(max(SOON, seconds), SHORT_WAIT)


def error_of_fault(refusal: Refusal) -> GatewayError:
    """A transient refusal, or a fault of the transport, as an error."""
    if refusal.status:
        return public_error(refusal)
    match refusal.code:
        case code if code == TIMED_OUT:
            return UpstreamSlow(refusal.message)
        case code if code == Truncated.code:
            return Truncated(refusal.message)
        case code:
            return UpstreamUnreachable(
                refusal.message, code=CONNECTION_LOST if code in _LOST else code
            )


def _without_quota(
    refusals: Sequence[Refusal], nobody: NoCandidate | None, *, now: float, plan: str
) -> GatewayError:
    """The error while all accounts are in cooldown: for a short time, or until a quota resets."""
    if nobody is not None and nobody.cause is NoCandidateCause.SPENT:
        plan = next((r.plan for r in refusals if r.plan), plan)
        return _all_spent(nobody.until, now=now, plan=plan)
    wait = SOON
    if nobody is not None and nobody.until:
        wait = max(SOON, nobody.until - now)
    elif refusals and refusals[-1].retry_after is not None:
        wait = max(SOON, refusals[-1].retry_after)
    seconds = math.ceil(min(wait, SHORT_WAIT))
    return AllCooling(
        f"All accounts are busy. Please try again in {seconds}s.", retry_after=seconds
    )


def _closed(nobody: NoCandidate, now: float) -> AccountsClosed:
    """The error while the terms of all accounts' owners close them to this request."""
    why = ", ".join(WORDS[term] for term in nobody.terms)
    message = f"Every account that could serve this request is {why}."
    if not nobody.until:
        return AccountsClosed(message)
    opens_at = math.ceil(nobody.until)
    seconds = max(1, opens_at - math.floor(now))
    message = f"{message} The first one opens at {UTC.told(opens_at)}."
    return AccountsClosed(message, retry_after=seconds)


def _all_spent(until: float, *, now: float, plan: str) -> AllSpent:
    resets_at = math.ceil(until)
    return AllSpent(
        f"All accounts are out of quota until {UTC.told(resets_at)}.",
        resets_at=resets_at,
        resets_in=max(0, math.ceil(until - now)),
        plan=plan or "unknown",
    )
