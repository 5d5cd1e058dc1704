"""Weeks that are made up: who is asked how much, by a seed, and how much there is for it.

Capacities are set by the demand: `pressure` is what a week asks for, were every prompt cache hit,
as a part of what the accounts' long windows hold.
"""

import math
import random
from collections.abc import Callable, Iterator, Sequence

import msgspec

from codex_proapi.console.what_if.replay.week import (
    DAY,
    FIVE_HOURS,
    HOUR,
    WEEKLY,
    Conversation,
    Limit,
    Member,
    Trouble,
    Turn,
    Week,
)

MODEL, OWN_MODEL = "gpt-main", "gpt-spark"
SHORT_PART = 0.3
"""A five-hour window as part of its weekly one, as the plans have it."""
BY_HOUR = (
    *(0.1, 0.05, 0.05, 0.05, 0.05, 0.1, 0.3, 0.6, 1.0, 1.6, 1.8, 1.6),
    *(1.0, 1.4, 1.8, 1.7, 1.5, 1.2, 0.8, 0.6, 0.6, 0.5, 0.4, 0.2),
)
BY_DAY = (1.0, 1.1, 1.1, 1.0, 0.9, 0.25, 0.2)
SEEDS = (11, 12)
"""Weeks of the table; the choice was tuned on others."""
LONGEST_INPUT = 180_000
"""Where a client shortens its conversation."""
SHORTENED = 20_000


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What makes one scenario differ from the others."""

    sizes: Sequence[float] = (1, 1, 1, 1, 1, 1)
    """Accounts, by their size."""
    pressure: float = 0.6
    starts: Sequence[float] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    """Where in their weekly windows they stand, in turn; all are spent just as far."""
    burst: float = 1.0
    """How much more is asked from Monday 9:00 to 10:00."""
    told: tuple[float, float] = (5.0, 30.0)
    own_model: float = 0.0
    """Part of conversations with a model that has windows of its own on half of the accounts."""
    per_day: float = 100
    """Conversations that begin on an ordinary day."""
    warm: int = 7
    """Days that are replayed before the counted week."""
    mixed: bool = False
    """One account without a short window, one that tells nothing, one with credits, two troubled."""


SCENARIOS: dict[str, Shape] = {
    "small": Shape(sizes=(1, 1, 2), pressure=0.9, starts=(0.2, 0.8, 0.5), per_day=15, warm=0),
    "calm": Shape(),
    "tight": Shape(pressure=0.95),
    "overload": Shape(pressure=1.3, warm=14),
    "staggered": Shape(pressure=0.9, starts=(0.02, 0.15, 0.45, 0.6, 0.85, 0.95)),
    "one big": Shape(pressure=0.9, sizes=(10, 1, 1, 1, 1, 1, 1)),
    "burst": Shape(pressure=0.8, burst=12.0),
    "stale": Shape(pressure=0.95, told=(60.0, 600.0)),
    "mixed": Shape(pressure=0.9, sizes=(6, 1, 1, 2, 1, 1, 1), own_model=0.2, mixed=True),
}


def make(name: str, seed: int) -> Week:
    """A scenario's week, by a seed."""
    shape, dice = SCENARIOS[name], random.Random(f"{name} {seed}")
    seconds = (shape.warm + 7) * DAY
    conversations = tuple(_conversations(shape, dice, seconds=seconds))
    week = Week(
        name=f"{name} {seed}",
        seconds=seconds,
        counted_from=shape.warm * DAY,
        members=(),
        conversations=conversations,
        told_own=shape.told[0],
        told_others=shape.told[1],
    )
    return msgspec.structs.replace(week, members=_members(shape, week))


def least(week: Week, *, model: str = "") -> float:
    """Units that a week asks for if every prompt cache is hit."""
    sum_ = 0.0
    for conversation in week.conversations:
        if model and conversation.model != model:
            continue
        before = Turn(-math.inf, 0, 0)
        for turn in conversation.turns:
            held = before.input + before.output if turn.at - before.at <= week.cache_seconds else 0
            cached = min(held, turn.input)
            sum_ += turn.input - cached * (1 - week.cached_cost) + turn.output * week.output_cost
            before = turn
    return sum_


def _conversations(shape: Shape, dice: random.Random, *, seconds: float) -> Iterator[Conversation]:
    """Conversations by day and night; a burst comes each Monday morning."""
    for hour in range(int(seconds / HOUR)):
        day, of_day = divmod(hour, 24)
        rate = shape.per_day / 24 * BY_HOUR[of_day] * BY_DAY[day % 7]
        if day % 7 == 0 and of_day == 9:
            rate *= shape.burst
        at = dice.expovariate(rate)
        while at < 1:
            model = OWN_MODEL if dice.random() < shape.own_model else MODEL
            yield Conversation(model=model, turns=tuple(_turns(dice, (hour + at) * HOUR)))
            at += dice.expovariate(rate)


def _turns(dice: random.Random, at: float) -> Iterator[Turn]:
    """A conversation: a long prompt grows by tool results and answers; now and then a pause."""
    count = 1 + min(60, int(dice.expovariate(1 / 9)))
    size = 6000 + int(dice.expovariate(1 / 6000))
    for _ in range(count):
        output = 50 + min(8000, int(dice.lognormvariate(6.2, 0.9)))
        yield Turn(round(at, 1), size, output)
        size += output + int(dice.lognormvariate(7.4, 1.0))
        if size > LONGEST_INPUT:
            size = SHORTENED
        pause = dice.uniform(600, 5400) if dice.random() < 0.06 else dice.lognormvariate(3.6, 0.8)
        at += 5 + output / 80 + pause


def _members(shape: Shape, week: Week) -> tuple[Member, ...]:
    weekly = least(week, model=MODEL) * 7 * DAY / week.seconds / shape.pressure / sum(shape.sizes)
    own = least(week, model=OWN_MODEL) * 7 * DAY / week.seconds if shape.own_model else 0.0
    return tuple(
        _member(shape, place, capacity=weekly * size, own=own)
        for place, size in enumerate(shape.sizes)
    )


def _member(shape: Shape, place: int, *, capacity: float, own: float) -> Member:
    passed = shape.starts[place % len(shape.starts)]
    long = Limit(
        minutes=WEEKLY, capacity=capacity, used=100 * passed, ends=(1 - passed) * WEEKLY * 60
    )
    short = Limit(minutes=FIVE_HOURS, capacity=capacity * SHORT_PART)
    member = Member(id=f"acc_{chr(97 + place)}", limits=(short, long))
    if own and place % 2 == 0:
        half = (len(shape.sizes) + 1) // 2
        family = (Limit(minutes=WEEKLY, capacity=own / shape.pressure / half),)
        member = msgspec.structs.replace(member, families={OWN_MODEL: family})
    return _odd(member, place) if shape.mixed else member


def _odd(member: Member, place: int) -> Member:
    """What is odd about an account in a mixed pool, by its place."""
    long = member.limits[-1]
    troubles = tuple(
        Trouble(begins=day * DAY + 10 * HOUR, ends=day * DAY + 11 * HOUR) for day in range(21)
    )
    oddities: dict[int, Callable[[], Member]] = {
        0: lambda: msgspec.structs.replace(member, limits=(long,)),
        1: lambda: msgspec.structs.replace(member, reports_quota=False),
        2: lambda: msgspec.structs.replace(member, credits=long.capacity / 4),
        4: lambda: msgspec.structs.replace(member, troubles=troubles),
        5: lambda: msgspec.structs.replace(member, troubles=troubles[2:4]),
    }
    return oddities[place]() if place in oddities else member
