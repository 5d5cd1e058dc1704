"""Which account is asked next, and why: a pure decision from what the survey saw.

Affinity first, then the round robin of the shared cursor over the eligible accounts in the order
of their ids, so that every replica makes the same choice for the same cursor. Looking into Redis,
refreshing credentials and taking the probe's lock is `relay.rotation`'s work.
"""

import enum
import functools
import math
from collections.abc import Sequence

import msgspec

from commons.accounts.model import Cooldown, CooldownReason

SHORT_WAIT = 60.0
"""Seconds a client may be told to wait; beyond it, retrying soon makes no sense."""
LOGIN_REASONS = frozenset({CooldownReason.ENTITLEMENT, CooldownReason.CREDENTIAL})
"""Reasons that waiting a little does not end."""
WEIGHT_STEPS = 10
"""A weight counts in tenths: 1.0 is ten slots before the fraction is reduced."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One account as the choice sees it: may serve the model, has not been tried yet."""

    id: str
    weight: float = 1.0
    """Share of new conversations."""
    cooldown: Cooldown | None = None
    """Its own or the asked model's, whichever ends later."""
    half_open: bool = False
    """Its breaker was open and no answer has come since."""
    used_percent: float = 0.0
    """How much of its fullest quota window is used."""
    resets_at: float = 0.0
    """When that window begins anew, seconds since the epoch; 0 is unknown."""


class Order(enum.Enum):
    """How new conversations are spread."""

    TURNS = "turns"
    """Strictly in turn, by weight."""
    LEAST_USED = "least_used"
    """Whoever has most of its quota left."""
    SOONEST_RESET = "soonest_reset"
    """Whoever's quota begins anew first: what is not used until then is lost."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The account to ask, and why."""

    account_id: str
    why: str
    """In words, for the log."""
    probe: bool = False
    """Its breaker is half open: one request at a time may try it."""


class Cause(enum.StrEnum):
    """Why nobody can be asked."""

    EMPTY = "empty"
    """No account serves this at all."""
    COOLING = "cooling"
    """Somebody can be asked again within a minute."""
    SPENT = "spent"
    """Quota is spent for longer."""
    UNENTITLED = "unentitled"
    """Every account was refused Codex, or the model, by its plan."""
    REFUSED = "refused"
    """The login of everybody who could serve is refused for now."""


class NoChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Nobody can be asked, and until when."""

    cause: Cause
    until: float = 0.0
    """When the first account is back, seconds since the epoch; 0 is unknown."""


def choose(
    standings: Sequence[Standing],
    *,
    now: float,
    cursor: int | None,
    affine: str | None,
    order: Order = Order.TURNS,
) -> Choice | NoChoice:
    """Choose from accounts that may serve the request.

    `cursor` is our turn; None when the survey saw that `affine`, the conversation's own account,
    is free and left the turns untouched.
    """
    eligible = [s for s in standings if s.cooldown is None or s.cooldown.until <= now]
    if not eligible:
        return _last_resort(standings, now)
    for standing in eligible:
        if standing.id == affine:
            return _choice(standing, "affinity")
    turns = schedule(tuple((s.id, s.weight) for s in eligible))
    start = (cursor or 0) % len(turns)
    if order is Order.TURNS:
        turn = turns[start]
        return _choice(next(s for s in eligible if s.id == turn), "round robin")
    # The turn breaks ties, so that accounts alike are still used alike.
    rank = {account: place for place, account in enumerate([*turns[start:], *turns[:start]][::-1])}
    if order is Order.LEAST_USED:
        chosen = min(eligible, key=lambda s: (s.used_percent, -rank.get(s.id, -1)))
        return _choice(chosen, "least used")
    chosen = min(eligible, key=lambda s: (s.resets_at or math.inf, -rank.get(s.id, -1)))
    return _choice(chosen, "soonest reset")


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


@functools.lru_cache(maxsize=256)
def schedule(weights: tuple[tuple[str, float], ...]) -> tuple[str, ...]:
    """The order of turns: by id when the weights are equal, else spread smoothly by weight."""
    slots = {account: max(0, round(weight * WEIGHT_STEPS)) for account, weight in sorted(weights)}
    if not any(slots.values()):
        slots = dict.fromkeys(slots, 1)
    step = math.gcd(*slots.values())
    slots = {account: count // step for account, count in slots.items() if count}
    total = sum(slots.values())
    credit = dict.fromkeys(slots, 0)
    turns = []
    for _ in range(total):
        for account, count in slots.items():
            credit[account] += count
        turn = max(credit, key=lambda account: credit[account])
        credit[turn] -= total
        turns.append(turn)
    return tuple(turns)


def _choice(standing: Standing, why: str) -> Choice:
    return Choice(account_id=standing.id, why=why, probe=standing.half_open)


def _last_resort(standings: Sequence[Standing], now: float) -> Choice | NoChoice:
    """Transient faults never take the last account out; any other cooldown is believed."""
    cooling = [(s.cooldown, s) for s in standings if s.cooldown is not None]
    shaky = [pair for pair in cooling if pair[0].reason is CooldownReason.TRANSIENT]
    if shaky:
        _, standing = min(shaky, key=lambda pair: (pair[0].until, pair[1].id))
        return Choice(account_id=standing.id, why="last account left, despite faults")
    return why_nobody([cooldown for cooldown, _ in cooling], now)
