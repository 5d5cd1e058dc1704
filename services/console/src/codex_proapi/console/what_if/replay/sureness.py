"""How sure an answer is, and why: in notes that pages and commands put into words. Pure."""

import enum
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.console.what_if.replay.capacity import FEW, Capacities
from codex_proapi.console.what_if.replay.records import Hour, Records

LEAST_REQUESTS: Final = 200
"""Requests below which nothing is worked out."""
CACHE_DIFFERS: Final = 10.0
REFUSALS_DIFFER: Final = 5.0
"""Points by which a replay may differ from what was recorded."""
WIDE_ERROR: Final = 0.25
"""Part by which estimates may be wrong from which an answer is a direction at best."""
LEFT_OUT: Final = 1.0
"""Percent of requests that may be left out without a word."""


class Sureness(enum.StrEnum):
    """How sure an answer is."""

    TOO_LITTLE = "too_little"
    """Nothing can be said."""
    LOW = "low"
    """A direction at best."""
    MEDIUM = "medium"
    """Within the ranges, and some points beside them."""


class NoteCode(enum.StrEnum):
    """What a note says."""

    FEW_DAYS = "few_days"
    FEW_REQUESTS = "few_requests"
    NO_ACCOUNTS = "no_accounts"
    NO_ESTIMATE = "no_estimate"
    ONE_WEEK = "one_week"
    ESTIMATES = "estimates"
    SAMPLED = "sampled"
    LEFT_OUT = "left_out"
    IN_TURN = "in_turn"
    CACHE_DIFFERS = "cache_differs"
    REFUSALS_DIFFER = "refusals_differ"
    HOURS = "hours"
    STREAMS = "streams"


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """One reason, with its figures."""

    code: NoteCode
    values: Mapping[str, float] = {}


_TELLS_LITTLE: Final = {NoteCode.IN_TURN, NoteCode.CACHE_DIFFERS, NoteCode.REFUSALS_DIFFER}


def too_little(
    records: Records, capacities: Capacities, *, weeks: int, hours: Sequence[Hour]
) -> tuple[Note, ...]:
    """Why nothing can be said; empty if something can."""
    if not records.accounts:
        return (Note(code=NoteCode.NO_ACCOUNTS),)
    days = int((records.now - records.since) // 86_400) if records.hours else 0
    if weeks < 1:
        return (Note(code=NoteCode.FEW_DAYS, values={"days": days}),)
    requests = sum(hour.requests for hour in hours)
    if requests < LEAST_REQUESTS:
        return (Note(code=NoteCode.FEW_REQUESTS, values={"requests": requests}),)
    if not capacities.estimates:
        return (Note(code=NoteCode.NO_ESTIMATE),)
    return ()


def notes_of(
    records: Records,
    capacities: Capacities,
    *,
    weeks: int,
    replayed: tuple[float, float],
    recorded: tuple[float, float],
    simulated: int,
) -> tuple[Note, ...]:
    """What limits an answer.

    Args:
        records: What was recorded.
        capacities: What was estimated.
        weeks: Weeks that count.
        replayed: Percent of cached input and of refusals, replayed as it was.
        recorded: The same as recorded.
        simulated: Accounts that were replayed.
    """
    found = [
        Note(
            code=NoteCode.ESTIMATES,
            values={
                "accounts": capacities.estimates,
                "of": len(records.accounts),
                "percent": round(100 * capacities.error),
            },
        )
    ]
    if weeks == 1:
        found.append(Note(code=NoteCode.ONE_WEEK))
    if simulated < len(records.accounts):
        values = {"accounts": simulated, "of": len(records.accounts)}
        found.append(Note(code=NoteCode.SAMPLED, values=values))
    if records.left_out >= LEFT_OUT:
        found.append(Note(code=NoteCode.LEFT_OUT, values={"percent": round(records.left_out)}))
    if records.routing is Routing.ROUND_ROBIN:
        found.append(Note(code=NoteCode.IN_TURN))
    kinds = (
        (NoteCode.CACHE_DIFFERS, CACHE_DIFFERS),
        (NoteCode.REFUSALS_DIFFER, REFUSALS_DIFFER),
    )
    for (code, most), was, came in zip(kinds, recorded, replayed, strict=True):
        if abs(was - came) > most:
            differing = {"recorded": round(was, 1), "replayed": round(came, 1)}
            found.append(Note(code=code, values=differing))
    if records.has_hours:
        found.append(Note(code=NoteCode.HOURS))
    if records.account_streams:
        found.append(Note(code=NoteCode.STREAMS))
    return tuple(found)


def sureness_of(notes: Sequence[Note], capacities: Capacities) -> Sureness:
    """How sure an answer with these notes is."""
    codes = {note.code for note in notes}
    unsure = capacities.estimates < FEW or capacities.error > WIDE_ERROR
    return Sureness.LOW if unsure or codes & _TELLS_LITTLE else Sureness.MEDIUM
