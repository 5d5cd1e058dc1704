"""Explains a selection in words for the log: the rule, its figures, and the accounts passed over.

`cache warm here; 5 h window 37 % used, weekly 12 %; acc_b cooling until 14:05 UTC (quota)`
"""

from typing import Final

from codex_proapi.commons.balancing.candidates import Candidate, Reason, SelectionInput, Window
from codex_proapi.commons.balancing.quota_pace import EVEN, Plenty, hurry, plenty, strained
from codex_proapi.commons.balancing.strategy import Routing
from codex_proapi.commons.codex.quota_parser import window_name

MOST_OTHERS: Final = 3
"""Accounts passed over that are named; the others are counted."""
DAY: Final = 86_400

BECAUSE: Final = {
    Reason.AFFINITY: "cache warm here",
    Reason.TURN: "next in turn",
    Reason.LEAST_USED: "least used",
    Reason.SOONEST_RESET: "resets first",
    Reason.LAST: "last account left, despite faults",
    Reason.RENEWED: "renewed credential",
}
WINDOWS: Final = {"five_hour": "5 h", "weekly": "weekly", "monthly": "monthly"}
KEPT: Final = {Plenty.RESERVE: "on its reserve", Plenty.SPENT: "spent"}


def explain(selection_input: SelectionInput, chosen: Candidate, basis: Reason) -> str:
    """The selection in words; accounts by their opaque ids, times in UTC."""
    parts = [
        BECAUSE[basis],
        _windows(chosen, selection_input.now),
        _pace(selection_input, chosen, basis),
    ]
    others = [
        said
        for s in selection_input.candidates
        if s.id != chosen.id and (said := _passed_over(s, selection_input, basis))
    ]
    parts += others[:MOST_OTHERS]
    if len(others) > MOST_OTHERS:
        parts.append(f"{len(others) - MOST_OTHERS} more passed over")
    return "; ".join(part for part in parts if part)


def _windows(candidate: Candidate, now: float) -> str:
    """`5 h window 37 % used, weekly 12 %`."""
    said = [
        f"{_name(window)}{'' if position else ' window'} {window.used:.0f} %{'' if position else ' used'}"
        for position, window in enumerate(candidate.windows)
        if not 0 < window.resets_at <= now
    ]
    return ", ".join(said)


def _pace(selection_input: SelectionInput, chosen: Candidate, basis: Reason) -> str:
    """Why it gets more turns than others; empty if it does not."""
    if basis is not Reason.TURN or selection_input.routing is not Routing.AFFINITY:
        return ""
    pace = hurry(chosen, now=selection_input.now)
    return "" if pace in (None, EVEN) else f"to be spent {pace:g} times as fast as evenly"


def _passed_over(candidate: Candidate, selection_input: SelectionInput, basis: Reason) -> str:
    """Why another account was not selected; empty if it only was not its turn."""
    if candidate.cooldown is not None and candidate.cooldown.until > selection_input.now:
        cooldown = candidate.cooldown
        return f"{candidate.id} cooling until {_time(cooldown.until, selection_input.now)} ({cooldown.reason})"
    if candidate.full:
        return f"{candidate.id} full"
    if basis is Reason.AFFINITY:
        return ""
    left = plenty(candidate, now=selection_input.now, reserve=selection_input.reserve)
    if left is not Plenty.AMPLE:
        return f"{candidate.id} {KEPT[left]}"
    spares = basis is Reason.SOONEST_RESET and strained(candidate, now=selection_input.now)
    return f"{candidate.id} spares a shorter window" if spares else ""


def _name(window: Window) -> str:
    name = window_name(window.minutes)
    return WINDOWS.get(name) or f"{window.minutes} min"


def _time(at: float, now: float) -> str:
    """`14:05 UTC`, and how many days on if it is not today."""
    clock = f"{int(at) // 3600 % 24:02}:{int(at) // 60 % 60:02} UTC"
    days = int(at) // DAY - int(now) // DAY
    return f"{clock} in {days} d" if days else clock
