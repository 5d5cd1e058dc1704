"""A week replayed on a fake clock, event by event, with the real choice; and what came of it."""

import heapq
import math
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from codex_proapi.commons.balancing.candidates import NoCandidate, Selection, SelectionInput
from codex_proapi.commons.balancing.select_account import MOST_ACCOUNTS, select
from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.console.what_if.replay.pool import Pool
from codex_proapi.console.what_if.replay.upstream import Account
from codex_proapi.console.what_if.replay.week import Conversation, Turn, Week, cost

RESERVE = 5.0
"""The default of QUOTA_RESERVE."""
CHECK_SECONDS = 300.0
FIRST_WORD = 2.0
"""Seconds before an answer's first token."""
TOKENS_PER_SECOND = 80.0

Note = Callable[[Turn, str, int], None]
"""Told of each request: what was asked, the account that served it (empty if none did), cached tokens."""
Chooser = Callable[[SelectionInput, str], Selection | NoCandidate]
"""Makes a choice from a ballot; the model is told to yardsticks that look upstream over."""


class Figures(msgspec.Struct, kw_only=True):
    """What came of a week under one strategy."""

    requests: int = 0
    refused: int = 0
    """Requests that nobody served."""
    avoidable: int = 0
    """Those of them that some account could have served."""
    attempts: int = 0
    vain: int = 0
    """Attempts that met a spent window."""
    input: int = 0
    cached: int = 0
    paid: float = 0.0
    """Units that answers took."""
    moves: int = 0
    """Requests that went to another account than the one before in their conversation."""
    streams: int = 0
    """Most answers that one account gave at a time."""
    ended: float = 0.0
    """Units of the long windows that ended."""
    unused: float = 0.0
    """Units of them that nobody used."""
    bought: float = 0.0
    """Units paid with credits."""
    waited: float = 0.0
    """Seconds until some account would have served, summed over the requests that nobody served."""
    dry: float = 0.0
    """Seconds in which no account would have served a request for the general windows."""

    def __add__(self, other: "Figures") -> "Figures":
        """Of two weeks together."""
        names = self.__struct_fields__
        sums = {name: getattr(self, name) + getattr(other, name) for name in names}
        return Figures(**{**sums, "streams": max(self.streams, other.streams)})

    @property
    def hit_rate(self) -> float:
        """Cached input tokens, in percent of all."""
        return 100 * self.cached / max(1, self.input)

    @property
    def waste(self) -> float:
        """What nobody used of the long windows that ended, in percent."""
        return 100 * self.unused / self.ended if self.ended else 0.0

    @property
    def price(self) -> float:
        """Thousand units of quota for one answer."""
        return self.paid / 1000 / max(1, self.requests - self.refused)

    @property
    def wait(self) -> float:
        """Mean seconds until some account would have served a request that nobody did."""
        return self.waited / self.refused if self.refused else 0.0

    @property
    def refusals(self) -> float:
        """Requests nobody served, in percent."""
        return 100 * self.refused / max(1, self.requests)


class _Event(NamedTuple):
    """A request that comes, or an answer that ends; ends come first."""

    at: float
    kind: int
    number: int
    account: str = ""
    model: str = ""
    units: float = 0.0


class Replay:
    """One week under one strategy."""

    def __init__(
        self,
        week: Week,
        *,
        routing: Routing,
        reserve: float = RESERVE,
        note: Note | None = None,
    ) -> None:
        self._week = week
        self.accounts = {member.id: Account(member) for member in week.members}
        self._pool = Pool(week, self.accounts, routing=routing, reserve=reserve)
        self.chooser: Chooser = _ours
        """A yardstick may stand in for our own."""
        self._figures = Figures()
        self._note = note
        self._last: dict[int, str] = {}
        self._ends: list[_Event] = []
        self._looked = 0.0

    def __repr__(self) -> str:
        return f"<Replay of {self._week.name} by {self._pool!r}>"

    def run(self) -> Figures:
        """Replay it all; give the figures."""
        self._pool.poll(0.0)
        for number, (at, conversation, turn) in enumerate(_requests(self._week.conversations)):
            if at >= self._week.seconds:
                break
            self._pass(at)
            self._request(number, conversation, turn)
        self._pass(self._week.seconds)
        for account in self.accounts.values():
            self._figures.ended += account.losses.ended
            self._figures.unused += account.losses.unused
            self._figures.bought += account.bought
        return self._figures

    def _pass(self, until: float) -> None:
        """Let time pass: answers end, windows end, gateways look around."""
        while self._looked + CHECK_SECONDS <= until:
            self._looked += CHECK_SECONDS
            self._end_answers(self._looked)
            self._roll(self._looked)
            self._pool.poll(self._looked)
            self._count_dry(self._looked)
        self._end_answers(until)
        self._roll(until)

    def _count_dry(self, now: float) -> None:
        if now >= self._week.counted_from and self._free_at("", now) > now:
            self._figures.dry += CHECK_SECONDS

    def _free_at(self, model: str, now: float) -> float:
        """When the first account would serve a model; `now` if one would at once."""
        refusals = (account.refusal(model, now) for account in self.accounts.values())
        return min((now if each is None else each.until for each in refusals), default=math.inf)

    def _end_answers(self, until: float) -> None:
        while self._ends and self._ends[0].at <= until:
            event = heapq.heappop(self._ends)
            self._roll(event.at)
            account = self.accounts[event.account]
            account.streams -= 1
            account.charge(event.model, event.units, event.at)

    def _roll(self, now: float) -> None:
        for account in self.accounts.values():
            account.roll(now, counted=now >= self._week.counted_from)

    def _request(self, number: int, conversation: int, turn: Turn) -> None:
        """One request: at most three accounts are asked, as the dispatcher does."""
        counted = turn.at >= self._week.counted_from
        figures = self._figures if counted else Figures()
        figures.requests += 1
        model = self._week.conversations[conversation].model
        replica = number % self._week.replicas
        tried: set[str] = set()
        while len(tried) < MOST_ACCOUNTS:
            selection_input = self._pool.selection_input(
                conversation, model, now=turn.at, replica=replica, tried=tried
            )
            found = self.chooser(selection_input, model)
            if isinstance(found, NoCandidate):
                break
            tried.add(found.account_id)
            figures.attempts += 1
            refused = self.accounts[found.account_id].refusal(model, turn.at)
            self._pool.hear(found.account_id, turn.at, replica)
            if refused is None:
                self._answer(found.account_id, conversation, turn, figures)
                return
            figures.vain += refused.spent
            self._pool.cool(found.account_id, refused, turn.at)
        free_at = self._free_at(model, turn.at)
        figures.refused += 1
        figures.avoidable += free_at <= turn.at
        figures.waited += min(free_at, self._week.seconds) - turn.at
        if self._note is not None:
            self._note(turn, "", 0)

    def _answer(self, name: str, conversation: int, turn: Turn, figures: Figures) -> None:
        account, week = self.accounts[name], self._week
        kept = account.cached(conversation, turn.at, lifetime=week.cache_seconds)
        cached = min(kept, turn.input)
        units = cost(week, turn, cached)
        account.remember(conversation, turn.at, turn.input + turn.output)
        self._pool.tie(conversation, name, turn.at)
        ends = turn.at + FIRST_WORD + turn.output / TOKENS_PER_SECOND
        model = week.conversations[conversation].model
        account.begin(model, turn.at)
        heapq.heappush(self._ends, _Event(ends, 0, len(self._ends), name, model, units))
        if self._note is not None:
            self._note(turn, name, cached)
        figures.input += turn.input
        figures.cached += cached
        figures.paid += units
        figures.moves += self._last.get(conversation, name) != name
        figures.streams = max(figures.streams, account.streams)
        self._last[conversation] = name


def _ours(selection_input: SelectionInput, _model: str) -> Selection | NoCandidate:
    return select(selection_input)


def _requests(conversations: tuple[Conversation, ...]) -> list[tuple[float, int, Turn]]:
    """All requests as they come."""
    found = (
        (turn.at, number, turn)
        for number, conversation in enumerate(conversations)
        for turn in conversation.turns
    )
    return sorted(found, key=lambda request: request[:2])
