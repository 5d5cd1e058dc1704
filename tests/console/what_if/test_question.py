"""Replays of known weeks, from what Redis would have recorded of them, come near what came of them."""

import functools
import subprocess
import sys
from typing import Any

import msgspec
import pytest
from week.recorded import recorded
from week.scenarios import make

from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.console.what_if.replay import question as question_module
from codex_proapi.console.what_if.replay.question import (
    MOST_REQUESTS,
    MOST_SIMULATED,
    Answer,
    Change,
    Direction,
    Question,
    answer,
    direction,
)
from codex_proapi.console.what_if.replay.records import Hour, Records, Tokens
from codex_proapi.console.what_if.replay.sureness import NoteCode, Sureness
from codex_proapi.console.what_if.replay.week import Week
from codex_proapi.console.what_if.replay.week_replay import Figures, Replay

TODAY_ERROR = 5.0
"""Points of refusals by which the replay of a week as it was may differ from the week."""
BESIDE = 5.0
"""Points by which what would have come of it may lie beside the range; docs/routing.md tells both."""
CACHE_ERROR = 4.0


def with_accounts(week: Week, more: int) -> Week:
    """The week with accounts more or fewer, all of which are alike."""
    members = week.members[:more] if more < 0 else week.members
    fresh = [msgspec.structs.replace(members[0], id=f"more_{number}") for number in range(more)]
    return msgspec.structs.replace(week, members=(*members, *fresh))


@functools.cache
def known_week(name: str) -> tuple[Week, Figures, Records]:
    """A week of six accounts, what came of it, and what was recorded."""
    week = make(name, 1)
    return week, *recorded(week, routing=Routing.AFFINITY)


@pytest.fixture(scope="module")
def known() -> tuple[Week, Figures, Records]:
    """A week in which more was asked for than there was."""
    return known_week("overload")


KEPT: dict[bytes, question_module.Replayed] = {}
_replayed = question_module._replayed


def _replayed_once(
    recording: question_module.Recording, *, change: Change, run: question_module.Run
) -> question_module.Replayed:
    key = msgspec.json.encode((recording, change, run))
    if key not in KEPT:
        KEPT[key] = _replayed(recording, change=change, run=run)
    return KEPT[key]


@pytest.fixture
def replays_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay is made once: most questions replay the same week as it was, which takes seconds."""
    monkeypatch.setattr(question_module, "_replayed", _replayed_once)


@pytest.mark.usefixtures("replays_kept")
@pytest.mark.parametrize(
    ("name", "change", "more", "routing"),
    [
        ("overload", Change(accounts=1), 1, Routing.AFFINITY),
        ("overload", Change(routing=Routing.ROUND_ROBIN), 0, Routing.ROUND_ROBIN),
        ("tight", Change(accounts=-1), -1, Routing.AFFINITY),
    ],
)
def test_what_is_changed_comes_out_as_in_the_week_it_is_worked_out_for(
    name: str, change: Change, more: int, routing: Routing
) -> None:
    week, truth, records = known_week(name)
    changed = Replay(with_accounts(week, more), routing=routing).run()

    found = answer(Question(records=records, change=change))

    assert found.today is not None
    assert found.then is not None
    assert abs(found.today.refused.value - truth.refusals) <= TODAY_ERROR
    assert abs(found.today.cached.value - truth.hit_rate) <= CACHE_ERROR
    refused = found.then.refused
    assert refused.low - BESIDE <= changed.refusals <= refused.high + BESIDE
    difference = changed.refusals - truth.refusals
    if abs(difference) >= 1:
        expected = Direction.MORE if difference > 0 else Direction.LESS
        assert found.directions["refused"] is expected
    else:
        assert found.directions["refused"] is Direction.SAME


def test_an_answer_is_the_same_each_time_and_in_another_process(
    known: tuple[Week, Figures, Records],
) -> None:
    question = Question(records=known[2], change=Change(people=2))
    command = [sys.executable, "-m", "codex_proapi.console.what_if.replay"]

    done = subprocess.run(
        command, input=msgspec.json.encode(question), stdout=subprocess.PIPE, check=False
    )

    assert done.returncode == 0
    assert msgspec.json.decode(done.stdout, type=Answer) == answer(question)


@pytest.mark.usefixtures("replays_kept")
def test_a_large_pool_is_replayed_in_part_and_comes_out_as_a_small_one(
    known: tuple[Week, Figures, Records],
) -> None:
    records, times = known[2], 8
    accounts = tuple(
        msgspec.structs.replace(account, id=f"{account.id}_{number}")
        for account in records.accounts
        for number in range(times)
    )
    hours = tuple(_times(hour, times) for hour in records.hours)
    large = msgspec.structs.replace(
        records, accounts=accounts, hours=hours, people=records.people * times
    )

    one, many = (
        answer(Question(records=each, change=Change(accounts=more)))
        for each, more in ((records, -1), (large, -times))
    )

    assert len(accounts) > MOST_SIMULATED
    assert NoteCode.SAMPLED in {note.code for note in many.notes}
    for side in ("today", "then"):
        small, big = getattr(one, side), getattr(many, side)
        assert abs(small.refused.value - big.refused.value) <= TODAY_ERROR
        assert abs(small.requests.value * times - big.requests.value) <= big.requests.value / 100


def _times(hour: Hour, times: int) -> Hour:
    tokens = Tokens(**{n: getattr(hour.tokens, n) * times for n in Tokens.__struct_fields__})
    return Hour(
        at=hour.at, requests=hour.requests * times, refused=hour.refused * times, tokens=tokens
    )


@pytest.mark.usefixtures("replays_kept")
def test_people_more_ask_as_the_others_do(known: tuple[Week, Figures, Records]) -> None:
    for people in (3, -3):
        found = answer(Question(records=known[2], change=Change(people=people)))

        assert found.today is not None
        assert found.then is not None
        ratio = found.then.requests.value / found.today.requests.value
        assert ratio == pytest.approx(1 + people / 10, abs=0.05)
        assert found.people == (10, 10 + people)


@pytest.mark.parametrize(
    "change", [Change(accounts=1000), Change(people=1000), Change(accounts=-47), Change()]
)
def test_no_change_makes_a_replay_larger_than_it_may_be(
    known: tuple[Week, Figures, Records], change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, replays = known[2], []
    if change.accounts < 0:
        accounts = tuple(
            msgspec.structs.replace(account, id=f"{account.id}_{number}")
            for account in records.accounts
            for number in range(8)
        )
        records = msgspec.structs.replace(records, accounts=accounts)

    def counted(week: Week, **_: Any) -> Replay:
        replays.append((len(week.members), sum(len(c.turns) for c in week.conversations)))
        nothing = msgspec.structs.replace(week, conversations=(), members=())
        return Replay(nothing, routing=Routing.AFFINITY)

    monkeypatch.setattr(question_module, "Replay", counted)
    answer(Question(records=records, change=change))

    assert max(members for members, _ in replays) <= 2 * MOST_SIMULATED
    assert max(requests for _, requests in replays) <= 1.1 * MOST_REQUESTS


@pytest.mark.usefixtures("replays_kept")
def test_nobody_is_served_without_accounts(known: tuple[Week, Figures, Records]) -> None:
    found = answer(Question(records=known[2], change=Change(accounts=-9)))

    assert found.then is not None
    assert found.then.refused.value == 100
    assert found.then.dry_hours.value == pytest.approx(7 * 24, abs=0.2)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"accounts": ()}, NoteCode.NO_ACCOUNTS),
        ({"hours": ()}, NoteCode.FEW_REQUESTS),
        ({"since": 0.0}, NoteCode.FEW_DAYS),
    ],
)
def test_too_little_is_said_and_nothing_worked_out(
    known: tuple[Week, Figures, Records], changes: dict[str, Any], code: NoteCode
) -> None:
    records = known[2]
    if "since" in changes:
        changes = {"since": records.now - 6 * 86_400}

    found = answer(
        Question(records=msgspec.structs.replace(records, **changes), change=Change(accounts=1))
    )

    assert (found.sureness, found.today) == (Sureness.TOO_LITTLE, None)
    assert [note.code for note in found.notes] == [code]


def test_windows_that_are_hardly_used_give_no_estimate(
    known: tuple[Week, Figures, Records],
) -> None:
    records = known[2]
    fresh = tuple(
        msgspec.structs.replace(
            account,
            windows=tuple(msgspec.structs.replace(w, used=1.0) for w in account.windows),
        )
        for account in records.accounts
    )

    found = answer(
        Question(
            records=msgspec.structs.replace(records, accounts=fresh), change=Change(accounts=1)
        )
    )

    assert [note.code for note in found.notes] == [NoteCode.NO_ESTIMATE]


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([0.0, 0.04, -0.04], Direction.SAME),
        ([2.0, 0.0, 5.0], Direction.MORE),
        ([-2.0, 0.0, -5.0], Direction.LESS),
        ([2.0, -1.0, 3.0], Direction.UNCLEAR),
        ([0.0, 3.0, 3.0], Direction.MORE),
        ([0.05, -3.0, -3.0], Direction.UNCLEAR),
    ],
)
def test_a_direction_is_told_where_no_replay_gives_the_other(
    differences: list[float], expected: Direction
) -> None:
    assert direction(differences, alike=0.1) is expected
