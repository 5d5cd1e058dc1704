"""A choice in words, for the log: what decided, its figures, and who was passed over.

`cache warm here; 5 h window 37 % used, weekly 12 %; acc_b cooling until 14:05 UTC (quota)`
"""

from typing import Final

from commons.routing import Routing
from gateway.choice.ballot import Ballot, Basis, Standing, Window
from gateway.choice.quota import EVEN, Plenty, hurry, plenty, strained
from gateway.dialects.quota import window_name

MOST_OTHERS: Final = 3
"""Accounts passed over that are named; the others are counted."""
DAY: Final = 86_400

BECAUSE: Final = {
    Basis.AFFINITY: "cache warm here",
    Basis.TURN: "next in turn",
    Basis.LEAST_USED: "least used",
    Basis.SOONEST_RESET: "resets first",
    Basis.LAST: "last account left, despite faults",
    Basis.RENEWED: "renewed credential",
}
WINDOWS: Final = {"five_hour": "5 h", "weekly": "weekly", "monthly": "monthly"}
KEPT: Final = {Plenty.RESERVE: "on its reserve", Plenty.SPENT: "spent"}


def why(ballot: Ballot, chosen: Standing, basis: Basis) -> str:
    """The choice in words; accounts by their opaque ids, times in UTC."""
    parts = [BECAUSE[basis], _windows(chosen, ballot.now), _pace(ballot, chosen, basis)]
    others = [
        said
        for s in ballot.standings
        if s.id != chosen.id and (said := _passed_over(s, ballot, basis))
    ]
    parts += others[:MOST_OTHERS]
    if len(others) > MOST_OTHERS:
        parts.append(f"{len(others) - MOST_OTHERS} more passed over")
    return "; ".join(part for part in parts if part)


def _windows(standing: Standing, now: float) -> str:
    """`5 h window 37 % used, weekly 12 %`."""
    said = [
        f"{_name(window)}{'' if place else ' window'} {window.used:.0f} %{'' if place else ' used'}"
        for place, window in enumerate(standing.windows)
        if not 0 < window.resets_at <= now
    ]
    return ", ".join(said)


def _pace(ballot: Ballot, chosen: Standing, basis: Basis) -> str:
    """Why it gets more turns than others."""
    if basis is not Basis.TURN or ballot.routing is not Routing.AFFINITY:
        return ""
    pace = hurry(chosen, now=ballot.now)
    return "" if pace in (None, EVEN) else f"to be spent {pace:g} times as fast as evenly"


def _passed_over(standing: Standing, ballot: Ballot, basis: Basis) -> str:
    """Why another one was not asked; empty where it only was not its turn."""
    if standing.cooldown is not None and standing.cooldown.until > ballot.now:
        cooldown = standing.cooldown
        return (
            f"{standing.id} cooling until {_time(cooldown.until, ballot.now)} ({cooldown.reason})"
        )
    if standing.full:
        return f"{standing.id} full"
    if basis is Basis.AFFINITY:
        return ""
    left = plenty(standing, now=ballot.now, reserve=ballot.reserve)
    if left is not Plenty.AMPLE:
        return f"{standing.id} {KEPT[left]}"
    spares = basis is Basis.SOONEST_RESET and strained(standing, now=ballot.now)
    return f"{standing.id} spares a shorter window" if spares else ""


def _name(window: Window) -> str:
    name = window_name(window.minutes)
    return WINDOWS.get(name) or f"{window.minutes} min"


def _time(at: float, now: float) -> str:
    """`14:05 UTC`, and how many days on if it is not today."""
    clock = f"{int(at) // 3600 % 24:02}:{int(at) // 60 % 60:02} UTC"
    days = int(at) // DAY - int(now) // DAY
    return f"{clock} in {days} d" if days else clock
