"""Explains a selection in words for the log: the rule, its figures, and the accounts passed over.

`cache warm here; 5 h window 37 % used, weekly 12 %; acc_b cooling until 14:05 UTC (quota)`
"""

from collections.abc import Collection
from typing import Final

from codex_proapi.commons.balancing.candidates import Candidate, Reason, SelectionInput, Window
from codex_proapi.commons.balancing.quota_pace import EVEN, Plenty, hurry, plenty, strained
from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.commons.codex.quota_parser import window_name
from codex_proapi.commons.owner_terms.closing import WORDS, Closed

MOST_OTHERS: Final = 2
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


class Explanations:
    """Explains selections from one pool.

    Args:
        pool: the candidates, the time, the strategy and the reserve.
    """

    def __init__(self, pool: SelectionInput) -> None:
        self._pool = pool
        self._candidates: dict[str, Candidate] | None = None
        self._others: dict[Reason, dict[str, Candidate]] = {}

    def __repr__(self) -> str:
        return f"<Explanations of {len(self._pool.candidates)} candidates>"

    def of(self, account_id: str, basis: Reason, *, full: Collection[str] = ()) -> str:
        """The selection in words; accounts by their opaque ids, times in UTC.

        Args:
            account_id: the selected account.
            basis: the rule that selected it.
            full: ids of accounts that were passed over because they were full.
        """
        if self._candidates is None:
            self._candidates = {c.id: c for c in self._pool.candidates}
        chosen = self._candidates[account_id]
        parts = [BECAUSE[basis], _windows(chosen, self._pool.now), self._pace(chosen, basis)]
        parts += self._passed_over(account_id, basis, full)
        return "; ".join(part for part in parts if part)

    def _pace(self, chosen: Candidate, basis: Reason) -> str:
        """Why it gets more turns than others; empty if it does not."""
        if basis is not Reason.TURN or self._pool.routing is not Routing.AFFINITY:
            return ""
        pace = hurry(chosen, now=self._pool.now)
        return "" if pace in (None, EVEN) else f"to be spent {pace:g} times as fast as evenly"

    def _passed_over(self, account_id: str, basis: Reason, full: Collection[str]) -> list[str]:
        """Why some other accounts were not selected, and how many more were not."""
        others = self._others.get(basis)
        if others is None:
            found = (c for c in self._pool.candidates if self._is_out(c, basis))
            others = self._others[basis] = {c.id: c for c in found}
        named: list[str] = []
        for other in others.values():
            if len(named) == MOST_OTHERS:
                break
            if other.id != account_id:
                named.append(f"{other.id} {self._reason(other)}")
        busy = [id_ for id_ in full if id_ not in others]
        count = len(others) - (account_id in others) + len(busy)
        named += [f"{id_} full" for id_ in sorted(busy)[: MOST_OTHERS - len(named)]]
        if count > len(named):
            named.append(f"{count - len(named)} more passed over")
        return named

    def _is_out(self, candidate: Candidate, basis: Reason) -> bool:
        """Whether an account was passed over whatever is free; False if it only was not its turn."""
        cooldown, now = candidate.cooldown, self._pool.now
        if candidate.closed is not None or (cooldown is not None and cooldown.until > now):
            return True
        if basis is Reason.AFFINITY:
            return False
        if plenty(candidate, now=now, reserve=self._pool.reserve) is not Plenty.AMPLE:
            return True
        return basis is Reason.SOONEST_RESET and strained(candidate, now=now)

    def _reason(self, candidate: Candidate) -> str:
        """Why an account was passed over."""
        cooldown, now = candidate.cooldown, self._pool.now
        if candidate.closed is not None:
            return _closed(candidate.closed, now)
        if cooldown is not None and cooldown.until > now:
            return f"cooling until {_time(cooldown.until, now)} ({cooldown.reason})"
        left = plenty(candidate, now=now, reserve=self._pool.reserve)
        return KEPT.get(left, "spares a shorter window")


def _closed(closed: Closed, now: float) -> str:
    """`outside its owner's hours until 07:00 UTC`."""
    words = WORDS[closed.term]
    return f"{words} until {_time(closed.until, now)}" if closed.until else words


def _windows(candidate: Candidate, now: float) -> str:
    """`5 h window 37 % used, weekly 12 %`."""
    said = [
        f"{_name(window)}{'' if position else ' window'} {window.used:.0f} %{'' if position else ' used'}"
        for position, window in enumerate(candidate.windows)
        if not 0 < window.resets_at <= now
    ]
    return ", ".join(said)


def _name(window: Window) -> str:
    name = window_name(window.minutes)
    return WINDOWS.get(name) or f"{window.minutes} min"


def _time(at: float, now: float) -> str:
    """`14:05 UTC`, and how many days on if it is not today."""
    clock = f"{int(at) // 3600 % 24:02}:{int(at) // 60 % 60:02} UTC"
    days = int(at) // DAY - int(now) // DAY
    return f"{clock} in {days} d" if days else clock
