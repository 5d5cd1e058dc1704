"""What a synthetic week must show, whatever the figures; `make week` prints them all."""

import re
from typing import Any

import msgspec
import pytest
from support.tree import ROOT
from week.scenarios import SEEDS, least, make
from week.table import ROWS, figures_of, rows_of

from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.console.what_if.replay.upstream import Account, Refused
from codex_proapi.console.what_if.replay.week import (
    DAY,
    FIVE_HOURS,
    WEEKLY,
    Conversation,
    Limit,
    Member,
    Turn,
    Week,
)
from codex_proapi.console.what_if.replay.week_replay import Figures, Replay

SMALL = make("small", 1)


def replayed(week: Week, routing: Routing = Routing.AFFINITY) -> Figures:
    return Replay(week, routing=routing).run()


def squeezed(week: Week, factor: float) -> Week:
    """The same week with less quota."""

    def less(limit: Limit) -> Limit:
        return msgspec.structs.replace(limit, capacity=limit.capacity / factor)

    members = tuple(
        msgspec.structs.replace(member, limits=tuple(less(limit) for limit in member.limits))
        for member in week.members
    )
    return msgspec.structs.replace(week, members=members)


def test_a_week_comes_out_the_same_each_time_also_from_its_json() -> None:
    again = msgspec.json.decode(msgspec.json.encode(SMALL), type=Week)

    assert again == SMALL == make("small", 1)
    assert replayed(again) == replayed(SMALL)


@pytest.mark.parametrize("routing", Routing)
def test_nobody_is_refused_while_any_account_would_answer(routing: Any) -> None:
    found = replayed(squeezed(SMALL, 2), routing)

    assert found.refused > 0
    assert found.avoidable == 0


def test_nobody_is_refused_and_nobody_asked_in_vain_where_there_is_plenty() -> None:
    plenty = replayed(squeezed(SMALL, 1 / 20))

    assert (plenty.refused, plenty.vain, plenty.attempts) == (0, 0, plenty.requests)


@pytest.fixture(scope="module")
def found() -> dict[str, Figures]:
    """What came of the small week, by the row of the table."""
    return {name.strip("`*"): figures_of([SMALL], replay) for name, replay in ROWS.items()}


def test_conversations_that_return_find_their_cache(found: Any) -> None:
    hits = {name: figures.hit_rate for name, figures in found.items()}

    assert hits.pop("round_robin") < min(hits.values())


def test_who_looks_at_resets_loses_less_at_them(found: Any) -> None:
    lost = {name: figures.waste for name, figures in found.items()}

    assert max(lost["affinity"], lost["drain_soonest"]) <= lost["affinity, blind to quota"]
    assert lost["affinity, blind to quota"] < lost["least_used"]


def test_who_sees_upstreams_own_counters_never_asks_in_vain(found: Any) -> None:
    assert found["knows all, drains"].vain == 0


def test_the_table_of_the_documentation_is_what_is_replayed() -> None:
    page = (ROOT / "docs" / "routing.md").read_text()
    told = re.findall(r"^\| small \| [`*].*", page, flags=re.MULTILINE)

    assert told == [*rows_of("small", [make("small", seed) for seed in SEEDS])]


def lone(*turns: Turn, **limit: Any) -> Week:
    """A week of one account and one conversation, in whole units."""
    limits = tuple(
        Limit(minutes=minutes, **{"capacity": 1e9, **limit}) for minutes in (FIVE_HOURS, WEEKLY)
    )
    return Week(
        name="lone",
        seconds=8 * DAY,
        members=(Member(id="acc_a", limits=limits),),
        conversations=(Conversation(model="m", turns=turns),),
        output_cost=10,
    )


def test_a_conversation_is_charged_for_what_its_cache_does_not_hold() -> None:
    week = lone(Turn(0, 1280, 100), Turn(60, 2000, 100), Turn(9000, 3000, 0))

    found = replayed(week)

    assert (found.input, found.cached) == (6280, 1280)
    assert found.paid == 1280 + 1000 + 720 + 128 + 1000 + 3000
    assert least(week) < found.paid  # its bound counts a cache to the token


def test_a_spent_window_refuses_until_it_ends_and_is_asked_once() -> None:
    turns = [Turn(at, 1000, 0) for at in (0, 9000, 9600, 10_200, 18_060)]

    found = replayed(lone(*turns, capacity=1500))

    assert (found.requests, found.refused, found.vain) == (5, 3, 1)


def test_an_answer_that_outlives_its_window_and_fills_the_next_begins_that_one() -> None:
    account = Account(Member(id="acc_a", limits=(Limit(minutes=FIVE_HOURS, capacity=1500),)))
    account.begin("m", 0)
    account.roll(18_000, counted=True)

    account.charge("m", 2000, 18_010)

    assert account.refusal("m", 18_020) == Refused(until=18_010 + 18_000, spent=True)


def test_what_nobody_used_of_the_long_window_is_lost_at_its_end() -> None:
    found = replayed(lone(Turn(0, 1000, 0), capacity=4000))

    assert (found.ended, found.unused, found.waste) == (4000, 3000, 75)
