"""Selects an account: affinity first, then round robin over the accounts with enough quota left.

Deterministic: every replica makes the same selection from the same `SelectionInput`.
"""

from collections.abc import Sequence
from typing import Final

from codex_proapi.commons.accounts.model import Cooldown, CooldownReason
from codex_proapi.commons.balancing.candidates import (
    Candidate,
    NoCandidate,
    NoCandidateCause,
    Reason,
    Selection,
    SelectionInput,
)
from codex_proapi.commons.balancing.explanations import explain
from codex_proapi.commons.balancing.quota_pace import (
    EVEN,
    Plenty,
    ends,
    fullest,
    hurry,
    known,
    middle,
    plenty,
    share,
    strained,
)
from codex_proapi.commons.balancing.round_robin import turn_order
from codex_proapi.commons.balancing.strategy import Routing

SHORT_WAIT: Final = 60.0
"""Seconds a client may be told to wait; beyond it, retrying soon makes no sense."""
RENEWING_CODE: Final = "credential_unavailable"
"""Code of the cooldown of an account whose login is being renewed."""
PLAN_CODES: Final = frozenset({"", "usage_not_included", "model_not_in_plan"})
"""Codes of cooldowns for what a plan does not include; with any other the backend may only have
refused for a while. A choice made again from a log line has no codes."""
LOGIN_REASONS: Final = frozenset({CooldownReason.ENTITLEMENT, CooldownReason.CREDENTIAL})
"""Reasons that waiting a little does not end."""


def select(selection_input: SelectionInput) -> Selection | NoCandidate:
    """Select an account for one attempt.

    An existing conversation stays on its account, whose prompt cache is warm, even on reserved
    quota. A new one goes to accounts with more than the reserve left, if there are any; else to
    those with anything left; else to any that is not cooling, as only upstream knows for certain.
    """
    awake = [s for s in selection_input.candidates if not _cooling(s, selection_input.now)]
    free = [s for s in awake if not s.full]
    if not awake:
        return _last_resort(selection_input)
    if not free:
        return NoCandidate(cause=NoCandidateCause.BUSY, accounts=tuple(s.id for s in awake))
    own = next((s for s in free if s.id == selection_input.affine), None)
    if own is not None and plenty(own, now=selection_input.now, reserve=0) is not Plenty.SPENT:
        return _choice(selection_input, own, Reason.AFFINITY)
    found = {
        s.id: plenty(s, now=selection_input.now, reserve=selection_input.reserve) for s in free
    }
    if own is not None and min(found.values()) is Plenty.SPENT:
        return _choice(selection_input, own, Reason.AFFINITY)
    enough = _enough(selection_input, free, found)
    return _in_order(selection_input, enough)


def why_none(cooldowns: Sequence[Cooldown], now: float) -> NoCandidate:
    """Why no account can be selected, from the cooldowns of all that could serve."""
    if not cooldowns:
        return NoCandidate(cause=NoCandidateCause.EMPTY)
    waiting = [c.until for c in cooldowns if c.reason not in LOGIN_REASONS]
    if not waiting:
        return _without_login(cooldowns)
    spent = [c.until for c in cooldowns if c.reason is CooldownReason.QUOTA]
    if min(waiting) - now <= SHORT_WAIT or not spent:
        return NoCandidate(cause=NoCandidateCause.COOLING, until=min(waiting))
    return NoCandidate(cause=NoCandidateCause.SPENT, until=min(spent))


def _without_login(cooldowns: Sequence[Cooldown]) -> NoCandidate:
    """The cause where no login may serve: the one that ends soonest by itself."""
    renewing = [c.until for c in cooldowns if c.code == RENEWING_CODE]
    if renewing:
        return NoCandidate(cause=NoCandidateCause.RENEWING, until=min(renewing))
    cause = NoCandidateCause.UNENTITLED
    if any(c.reason is CooldownReason.CREDENTIAL for c in cooldowns):
        cause = NoCandidateCause.REFUSED
    elif any(c.code not in PLAN_CODES for c in cooldowns):
        cause = NoCandidateCause.FORBIDDEN
    return NoCandidate(cause=cause, until=min(c.until for c in cooldowns))


def _cooling(candidate: Candidate, now: float) -> bool:
    return candidate.cooldown is not None and candidate.cooldown.until > now


def _enough(
    selection_input: SelectionInput, free: Sequence[Candidate], found: dict[str, Plenty]
) -> Sequence[Candidate]:
    """The accounts with most left, as far as the strategy considers quota."""
    if (
        selection_input.routing is Routing.ROUND_ROBIN
    ):  # strictly in turn, as long as there is anything
        return [s for s in free if found[s.id] is not Plenty.SPENT] or free
    best = min(found.values())
    return [s for s in free if found[s.id] is best]


def _in_order(selection_input: SelectionInput, enough: Sequence[Candidate]) -> Selection:
    """Select by the strategy; the round robin decides between equals."""
    now = selection_input.now
    shares = _shares(selection_input, enough)
    turns = turn_order(tuple((s.id, s.weight * shares[s.id]) for s in enough))
    start = (selection_input.cursor or 0) % len(turns)
    turns = turns[start:] + turns[:start]
    first = next(s for s in enough if s.id == turns[0])

    positions = {account_id: at for at, account_id in reversed(list(enumerate(turns)))}

    def turn(candidate: Candidate) -> int:
        return positions.get(candidate.id, len(turns))

    match selection_input.routing:
        case Routing.LEAST_USED:
            told = [s for s in enough if known(s, now=now)]
            if first not in told:  # it cannot be compared, so it gets its turns
                return _choice(selection_input, first, Reason.TURN)
            chosen = min(told, key=lambda s: (fullest(s, now=now), turn(s)))
            return _choice(selection_input, chosen, Reason.LEAST_USED)
        case Routing.DRAIN_SOONEST:
            chosen = min(enough, key=lambda s: (strained(s, now=now), ends(s, now=now), turn(s)))
            return _choice(selection_input, chosen, Reason.SOONEST_RESET)
        case _:
            return _choice(selection_input, first, Reason.TURN)


def _shares(selection_input: SelectionInput, enough: Sequence[Candidate]) -> dict[str, float]:
    """Each account's turns, by its hurry, for one turn of the account with the greatest.

    An account with unknown hurry gets the median, so that it is used and its quota becomes known.
    """
    if selection_input.routing is not Routing.AFFINITY:
        return {s.id: 1.0 for s in enough}
    found = {s.id: hurry(s, now=selection_input.now) for s in enough}
    told = [h for s in enough if s.weight > 0 and (h := found[s.id]) is not None]
    most, usual = max(told, default=EVEN), middle(told)
    return {account: share(usual if h is None else h, most) for account, h in found.items()}


def _choice(selection_input: SelectionInput, candidate: Candidate, basis: Reason) -> Selection:
    return Selection(
        account_id=candidate.id,
        basis=basis,
        why=explain(selection_input, candidate, basis),
        probe=candidate.half_open,
    )


def _last_resort(selection_input: SelectionInput) -> Selection | NoCandidate:
    """All accounts are cooling: transient faults never exclude the last one, others do."""
    cooling = [(s.cooldown, s) for s in selection_input.candidates if s.cooldown is not None]
    shaky = [pair for pair in cooling if pair[0].reason is CooldownReason.TRANSIENT]
    if shaky:
        _, candidate = min(shaky, key=lambda pair: (pair[0].until, pair[1].id))
        return Selection(
            account_id=candidate.id,
            basis=Reason.LAST,
            why=explain(selection_input, candidate, Reason.LAST),
        )
    return why_none([cooldown for cooldown, _ in cooling], selection_input.now)
