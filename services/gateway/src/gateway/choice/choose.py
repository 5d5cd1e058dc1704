"""The choice: affinity first, then turns over the accounts with enough left.

Every replica makes the same choice from the same ballot.
"""

from collections.abc import Sequence
from typing import Final

from commons.accounts.model import Cooldown, CooldownReason
from commons.routing import Routing
from gateway.choice.ballot import Ballot, Basis, Cause, Choice, NoChoice, Standing
from gateway.choice.quota import (
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
from gateway.choice.reasons import why
from gateway.choice.turns import schedule

SHORT_WAIT: Final = 60.0
"""Seconds a client may be told to wait; beyond it, retrying soon makes no sense."""
LOGIN_REASONS: Final = frozenset({CooldownReason.ENTITLEMENT, CooldownReason.CREDENTIAL})
"""Reasons that waiting a little does not end."""


def choose(ballot: Ballot) -> Choice | NoChoice:
    """Choose an account for one attempt.

    A conversation stays where its prompt cache is warm, also on what is kept in reserve. What
    begins goes to accounts with more than the reserve left, if there are any; else to those with
    anything left; else to whoever is not cooling: only upstream knows for sure.
    """
    awake = [s for s in ballot.standings if not _cooling(s, ballot.now)]
    free = [s for s in awake if not s.full]
    if not awake:
        return _last_resort(ballot)
    if not free:
        return NoChoice(cause=Cause.BUSY, accounts=tuple(s.id for s in awake))
    own = next((s for s in free if s.id == ballot.affine), None)
    if own is not None and plenty(own, now=ballot.now, reserve=0) is not Plenty.SPENT:
        return _choice(ballot, own, Basis.AFFINITY)
    found = {s.id: plenty(s, now=ballot.now, reserve=ballot.reserve) for s in free}
    if own is not None and min(found.values()) is Plenty.SPENT:
        return _choice(ballot, own, Basis.AFFINITY)
    enough = _enough(ballot, free, found)
    return _in_order(ballot, enough)


def why_nobody(cooldowns: Sequence[Cooldown], now: float) -> NoChoice:
    """Why nobody can be asked, by the cooldowns of everybody who could serve."""
    if not cooldowns:
        return NoChoice(cause=Cause.EMPTY)
    waiting = [c.until for c in cooldowns if c.reason not in LOGIN_REASONS]
    if not waiting:
        entitled = any(c.reason is CooldownReason.CREDENTIAL for c in cooldowns)
        cause = Cause.REFUSED if entitled else Cause.UNENTITLED
        return NoChoice(cause=cause, until=min(c.until for c in cooldowns))
    spent = [c.until for c in cooldowns if c.reason is CooldownReason.QUOTA]
    if min(waiting) - now <= SHORT_WAIT or not spent:
        return NoChoice(cause=Cause.COOLING, until=min(waiting))
    return NoChoice(cause=Cause.SPENT, until=min(spent))


def _cooling(standing: Standing, now: float) -> bool:
    return standing.cooldown is not None and standing.cooldown.until > now


def _enough(
    ballot: Ballot, free: Sequence[Standing], found: dict[str, Plenty]
) -> Sequence[Standing]:
    """Those who have most left, as far as the strategy asks."""
    if ballot.routing is Routing.ROUND_ROBIN:  # strictly in turn, as long as there is anything
        return [s for s in free if found[s.id] is not Plenty.SPENT] or free
    best = min(found.values())
    return [s for s in free if found[s.id] is best]


def _in_order(ballot: Ballot, enough: Sequence[Standing]) -> Choice:
    """By the strategy; the turn decides between accounts that are alike."""
    now = ballot.now
    shares = _shares(ballot, enough)
    turns = schedule(tuple((s.id, s.weight * shares[s.id]) for s in enough))
    start = (ballot.cursor or 0) % len(turns)
    turns = turns[start:] + turns[:start]
    first = next(s for s in enough if s.id == turns[0])

    def turn(standing: Standing) -> int:
        return turns.index(standing.id) if standing.id in turns else len(turns)

    match ballot.routing:
        case Routing.LEAST_USED:
            told = [s for s in enough if known(s, now=now)]
            if first not in told:  # it cannot be compared, so it gets its turns
                return _choice(ballot, first, Basis.TURN)
            chosen = min(told, key=lambda s: (fullest(s, now=now), turn(s)))
            return _choice(ballot, chosen, Basis.LEAST_USED)
        case Routing.DRAIN_SOONEST:
            chosen = min(enough, key=lambda s: (strained(s, now=now), ends(s, now=now), turn(s)))
            return _choice(ballot, chosen, Basis.SOONEST_RESET)
        case _:
            return _choice(ballot, first, Basis.TURN)


def _shares(ballot: Ballot, enough: Sequence[Standing]) -> dict[str, float]:
    """The turns each gets, by its hurry, for one of whoever is in the greatest.

    Whose hurry is not known yet stands in the middle of the others, so that it is heard of soon.
    """
    if ballot.routing is not Routing.AFFINITY:
        return {s.id: 1.0 for s in enough}
    found = {s.id: hurry(s, now=ballot.now) for s in enough}
    told = [h for s in enough if s.weight > 0 and (h := found[s.id]) is not None]
    most, usual = max(told, default=EVEN), middle(told)
    return {account: share(usual if h is None else h, most) for account, h in found.items()}


def _choice(ballot: Ballot, standing: Standing, basis: Basis) -> Choice:
    return Choice(
        account_id=standing.id,
        basis=basis,
        why=why(ballot, standing, basis),
        probe=standing.half_open,
    )


def _last_resort(ballot: Ballot) -> Choice | NoChoice:
    """Transient faults never take the last account out; any other cooldown is believed."""
    cooling = [(s.cooldown, s) for s in ballot.standings if s.cooldown is not None]
    shaky = [pair for pair in cooling if pair[0].reason is CooldownReason.TRANSIENT]
    if shaky:
        _, standing = min(shaky, key=lambda pair: (pair[0].until, pair[1].id))
        return Choice(
            account_id=standing.id, basis=Basis.LAST, why=why(ballot, standing, Basis.LAST)
        )
    return why_nobody([cooldown for cooldown, _ in cooling], ballot.now)
