"""A what-if question and its answer: the last weeks replayed as they were, and with something changed. Pure.

Each side is replayed three times, with other seeds and with capacities as low and as high as the estimates
may be wrong; both sides of a pair have the same seed, so that what differs comes of the change.
"""

import enum
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.console.what_if.replay.capacity import (
    Capacities,
    Capacity,
    capacities_of,
    long_window,
    short_window,
)
from codex_proapi.console.what_if.replay.demand import (
    CACHE_SECONDS,
    cached_share,
    corrected,
    demand_of,
    going_on_of,
    of_people,
)
from codex_proapi.console.what_if.replay.records import (
    CACHED_COST,
    OUTPUT_COST,
    Hour,
    RecordedAccount,
    RecordedWindow,
    Records,
)
from codex_proapi.console.what_if.replay.sureness import (
    Note,
    Sureness,
    notes_of,
    sureness_of,
    too_little,
)
from codex_proapi.console.what_if.replay.week import DAY, FIVE_HOURS, WEEKLY, Limit, Member, Week
from codex_proapi.console.what_if.replay.week_replay import Figures, Replay

MOST_WEEKS: Final = 4
"""Weeks that are replayed, the first of them to warm up."""
MOST_SIMULATED: Final = 16
"""Accounts that are replayed; of a larger pool so many, with their part of what is asked."""
MOST_REQUESTS: Final = 8_000
"""Requests that are replayed; of more so many, on windows that are smaller by as much."""
_USED_SO_FAR: Final = 0.8
"""Part of an even use that a window has behind it when the replay begins; the first week evens it out."""
MOST_CHANGE: Final = 1000
"""Most accounts and people that a question may add."""
WEEK: Final = 7 * DAY


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is changed."""

    accounts: int = 0
    """Accounts more, like the one in the middle; negative is fewer."""
    people: int = 0
    """People more, who ask what the others ask in the mean; negative is fewer."""
    routing: Routing | None = None
    """Another strategy; None is the one in force."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of the replay."""

    records: Records
    change: Change


class Direction(enum.StrEnum):
    """How a figure changes."""

    LESS = "less"
    MORE = "more"
    SAME = "same"
    UNCLEAR = "unclear"
    """Some replays give less and some more."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A figure, and between what the replays give it."""

    value: float
    low: float
    high: float


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What comes of a week."""

    requests: Span
    """In a week."""
    refused: Span
    """Requests that nobody serves, in percent."""
    wait_minutes: Span
    """Minutes until some account would serve such a request, in the mean."""
    dry_hours: Span
    """Hours of a week in which no account would serve."""
    lost: Span
    """Percent of the weekly windows that ended with it unused."""
    cached: Span
    """Percent of the input that comes from the prompt cache."""


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one replay."""

    figures: Figures
    part: float
    """Part of the requests that were replayed."""
    weeks: int
    """Weeks that were counted."""


FIGURES: Final[dict[str, Callable[[Replayed], float]]] = {
    "requests": lambda each: _three_digits(each.figures.requests / each.part / each.weeks),
    "refused": lambda each: each.figures.refusals,
    "wait_minutes": lambda each: each.figures.wait / 60,
    "dry_hours": lambda each: each.figures.dry / 3600 / each.weeks,
    "lost": lambda each: each.figures.waste,
    "cached": lambda each: each.figures.hit_rate,
}
"""How the figures of an `Outcome` are read."""
ALIKE: Final = {"requests": 1.0, "refused": 0.1, "wait_minutes": 1.0, "dry_hours": 0.2}
"""Differences below which a figure stays the same; of the others it is one point."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer."""

    sureness: Sureness
    notes: tuple[Note, ...]
    """Why it is no surer, and what was simplified."""
    weeks: int = 0
    """Weeks whose figures these are."""
    accounts: tuple[int, int] = (0, 0)
    """Accounts today, and then."""
    people: tuple[int, int] = (0, 0)
    routing: tuple[str, str] = ("", "")
    today: Outcome | None = None
    """None where too little is known."""
    then: Outcome | None = None
    directions: dict[str, Direction] = {}
    """By figure."""


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """What is replayed of the pool."""

    members: tuple[Member, ...]
    part: float
    """Part of the requests that is made for them; their windows are scaled with it."""


def answer(question: Question) -> Answer:
    """Answer a question; the same each time."""
    records, change = question.records, question.change
    capacities = capacities_of(records.accounts)
    weeks = min(MOST_WEEKS, int((records.now - records.since) // WEEK))
    hours = recent_hours(records, weeks)
    faults = too_little(records, capacities, weeks=weeks, hours=hours)
    if faults:
        return Answer(sureness=Sureness.TOO_LITTLE, notes=faults)
    recording = Recording(
        records=records,
        hours=hours,
        capacities=capacities,
        weeks=weeks,
        growth=growth_of(records, change),
    )
    pairs = [
        [_replayed(recording, change=each, run=run) for each in (Change(), change)]
        for run in _runs(recording)
    ]
    today, then = ([pair[side] for pair in pairs] for side in (0, 1))
    as_it_was = today[0].figures
    notes = notes_of(
        records,
        capacities,
        weeks=today[0].weeks,
        replayed=(as_it_was.hit_rate, as_it_was.refusals),
        recorded=(100 * cached_share(hours), recorded_refusals(counted_hours(recording))),
        simulated=min(MOST_SIMULATED, len(records.accounts)),
    )
    routing = change.routing or records.routing
    return Answer(
        sureness=sureness_of(notes, capacities),
        notes=notes,
        weeks=today[0].weeks,
        accounts=(len(records.accounts), max(0, len(records.accounts) + change.accounts)),
        people=(records.people, max(0, records.people + change.people)),
        routing=(records.routing.value, routing.value),
        today=_outcome(today),
        then=_outcome(then),
        directions={
            name: direction([read(b) - read(a) for a, b in pairs], alike=ALIKE.get(name, 1.0))
            for name, read in FIGURES.items()
        },
    )


def direction(differences: Sequence[float], *, alike: float) -> Direction:
    """Which way a figure goes, from its differences in each pair of replays."""
    if all(abs(each) < alike for each in differences):
        return Direction.SAME
    if min(differences) > -alike and differences[0] >= 0:
        return Direction.MORE
    if max(differences) < alike and differences[0] <= 0:
        return Direction.LESS
    return Direction.UNCLEAR


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """What is replayed."""

    records: Records
    hours: Sequence[Hour]
    """Those that are replayed."""
    capacities: Capacities
    weeks: int
    """Weeks of figures."""
    growth: float
    """How many times as much is asked of an account with the change; at least 1."""

    @property
    def seconds(self) -> float:
        """How long it is replayed: a single week twice, as the first warms up."""
        return max(2, self.weeks) * WEEK

    @property
    def begin(self) -> float:
        """Seconds since the epoch at which the replay begins."""
        return self.records.now - self.seconds


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One of the replays of a side."""

    seed: int
    factor: float
    """By which capacities are multiplied."""
    going_on: float
    """Part of the requests that go on with a conversation."""


def _runs(recording: Recording) -> Sequence[Run]:
    """As estimated, and as low and high as that may be wrong.

    A first replay tells by how much the guess of what belongs together misses the recorded cache.
    """
    hours, routing, error = recording.hours, recording.records.routing, recording.capacities.error
    going_on = going_on_of(hours, routing)
    if routing is not Routing.ROUND_ROBIN:
        first = _replayed(
            recording, change=Change(), run=Run(seed=1, factor=1.0, going_on=going_on)
        )
        replayed = first.figures.hit_rate / 100
        going_on = corrected(going_on, recorded=cached_share(hours), replayed=replayed)
    factors = enumerate((1.0, 1.0 - error, 1.0 + error), start=1)
    return [Run(seed=number, factor=each, going_on=going_on) for number, each in factors]


def counted_hours(recording: Recording) -> Sequence[Hour]:
    """The hours after the week that warms up."""
    return [hour for hour in recording.hours if hour.at >= recording.begin + WEEK]


def recent_hours(records: Records, weeks: int) -> Sequence[Hour]:
    """The hours of the last whole weeks; of a single one twice, as there is another to warm up."""
    begin = records.now - weeks * WEEK
    found = [hour for hour in records.hours if begin <= hour.at < records.now]
    if weeks != 1:
        return found
    return [msgspec.structs.replace(h, at=int(h.at - WEEK)) for h in found] + found


def growth_of(records: Records, change: Change) -> float:
    """How many times as much a change lets ask of an account; at least 1."""
    people = 1 + max(0, change.people) / records.people if records.people else 1.0
    left = len(records.accounts) + min(0, change.accounts)
    large = len(records.accounts) > MOST_SIMULATED and left > 0
    return people * (len(records.accounts) / left if large else 1.0)


def recorded_refusals(hours: Sequence[Hour]) -> float:
    """Percent of the requests that were refused or broke."""
    requests = sum(hour.requests for hour in hours)
    return 100 * sum(hour.refused for hour in hours) / requests if requests else 0.0


def pool_of(recording: Recording, *, change: Change, factor: float) -> Pool:
    """The accounts that are replayed, and their part of what is asked.

    Capacities are multiplied by `factor`.
    """
    records, capacities, begin = recording.records, recording.capacities, recording.begin
    accounts = sorted(records.accounts, key=lambda each: (capacities.of[each.id].long, each.id))
    whole = sum(capacities.of[each.id].long for each in accounts)
    step = max(1.0, len(accounts) / MOST_SIMULATED)
    chosen = [accounts[int(number * step)] for number in range(int(len(accounts) / step))]
    part = sum(capacities.of[each.id].long for each in chosen) / whole
    requests = sum(hour.requests for hour in recording.hours) * part
    scale = max(1.0, requests * recording.growth / MOST_REQUESTS)
    usual = capacities.usual
    members = [
        _member(account, capacities.of[account.id], times=factor / scale, begin=begin)
        for account in chosen
    ]
    if len(accounts) + change.accounts <= 0:
        members = []
    elif step > 1.0 or change.accounts > MOST_SIMULATED:
        # These stand for all: more accounts mean that less is asked of each.
        part *= len(accounts) / (len(accounts) + change.accounts)
    elif change.accounts < 0:
        middle = (len(members) - 1) / 2
        farthest = sorted(range(len(members)), key=lambda n: (-abs(n - middle), n))
        kept = farthest[: max(0, len(members) + change.accounts)]
        members = [members[number] for number in sorted(kept)]
    else:
        fresh = RecordedAccount(id="", windows=(RecordedWindow(minutes=WEEKLY, used=0),))
        made = _member(fresh, usual, times=factor / scale, begin=begin)
        members += [
            msgspec.structs.replace(made, id=f"more_{number}") for number in range(change.accounts)
        ]
    return Pool(members=tuple(members), part=part / scale)


def _member(account: RecordedAccount, capacity: Capacity, *, times: float, begin: float) -> Member:
    """An account as it is replayed: its long window ends when it did, and is used as far as it has run."""
    long, short = long_window(account), short_window(account)
    minutes = long.minutes if long else WEEKLY
    length = minutes * 60.0
    ends = (long.resets_at - begin) % length if long and long.resets_at else 0.0
    limits = [
        Limit(
            minutes=minutes,
            capacity=_left(capacity.long * minutes / WEEKLY * times, account.reserved[1]),
            used=100 * (1 - ends / length) * _USED_SO_FAR if ends else 0.0,
            ends=ends,
        )
    ]
    if capacity.short:
        hours = short.minutes if short else FIVE_HOURS
        size = capacity.short * hours / FIVE_HOURS * times
        limits.insert(0, Limit(minutes=hours, capacity=_left(size, account.reserved[0])))
    return Member(id=account.id, limits=tuple(limits), weight=account.weight)


def _left(capacity: float, reserved: float) -> float:
    """What is the pool's of a window, a part of which stays its owner's."""
    return max(1.0, capacity * (1 - reserved / 100))


def _replayed(recording: Recording, *, change: Change, run: Run) -> Replayed:
    records = recording.records
    pool = pool_of(recording, change=change, factor=run.factor)
    asked = demand_of(
        recording.hours,
        begin=recording.begin,
        part=pool.part,
        going_on=run.going_on,
        seed=run.seed,
    )
    asked = of_people(asked, more=change.people, people=records.people, seed=run.seed)
    week = Week(
        name="recorded",
        seconds=recording.seconds,
        counted_from=WEEK,
        members=pool.members,
        conversations=asked,
        cache_seconds=CACHE_SECONDS,
        cached_cost=CACHED_COST,
        output_cost=OUTPUT_COST,
    )
    routing = change.routing or records.routing
    figures = Replay(week, routing=routing, reserve=records.reserve).run()
    return Replayed(figures=figures, part=pool.part, weeks=max(1, recording.weeks - 1))


def _three_digits(value: float) -> float:
    return float(f"{value:.3g}")


def _outcome(replays: Sequence[Replayed]) -> Outcome:
    spans = {}
    for name, read in FIGURES.items():
        found = [round(read(each), 2) for each in replays]
        spans[name] = Span(value=found[0], low=min(found), high=max(found))
    return Outcome(**spans)
