"""The backend of a synthetic week: what each account's windows really hold, and what it tells."""

import math

import msgspec

from codex_proapi.commons.balancing.candidates import Window
from codex_proapi.console.what_if.replay.week import Limit, Member

PREFIX = 128
"""Prompt caches are kept in pieces of so many tokens."""


class Refused(msgspec.Struct, frozen=True):
    """An account's no."""

    until: float
    spent: bool
    """Whether a window is spent; else it is a trouble that passes."""


class Losses(msgspec.Struct):
    """What was lost when windows ended."""

    ended: float = 0.0
    """Units that the windows which ended could have held."""
    unused: float = 0.0
    """Units of them that nobody used."""


class Meter:
    """One window as it runs."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.spent = limit.capacity * limit.used / 100
        self.ends = limit.ends or math.inf

    def __repr__(self) -> str:
        return f"<Meter {self.limit.minutes} min, {self.used} % until {self.ends:.0f}>"

    @property
    def full(self) -> bool:
        """Whether nothing is left."""
        return self.spent >= self.limit.capacity

    @property
    def used(self) -> int:
        """Percent as upstream tells it: whole, and 100 only when nothing is left."""
        return min(100, int(100 * self.spent / self.limit.capacity))

    @property
    def length(self) -> float:
        """Seconds."""
        return self.limit.minutes * 60.0

    def roll(self, now: float) -> float | None:
        """End it when its time has come: the units nobody used, or None."""
        if now < self.ends:
            return None
        unused = max(0.0, self.limit.capacity - self.spent)
        self.spent, self.ends = 0.0, math.inf
        return unused

    def begin(self, now: float) -> None:
        """Begin with the first use."""
        if math.isinf(self.ends):
            self.ends = now + self.length

    def told(self, now: float, epoch: float) -> Window:
        """What upstream tells of it; one that has not begun would end a whole length from here."""
        ends = now + self.length if math.isinf(self.ends) else self.ends
        return Window(
            minutes=self.limit.minutes, used=self.used, resets_at=float(int(epoch + ends))
        )


class Account:
    """One account as it really is."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.general = [Meter(limit) for limit in member.limits]
        self.families = {m: [Meter(x) for x in limits] for m, limits in member.families.items()}
        self.credits = member.credits
        self.bought = 0.0
        """Units paid with credits."""
        self.losses = Losses()
        self.streams = 0
        self._caches: dict[int, tuple[float, int]] = {}

    def __repr__(self) -> str:
        return f"<Account {self.member.id} {self.general}>"

    def meters(self, model: str) -> list[Meter]:
        """The windows that hold for a model."""
        return self.families.get(model, self.general)

    def roll(self, now: float, *, counted: bool) -> None:
        """End the windows whose time has come; what is left of the longest is lost."""
        for meters in (self.general, *self.families.values()):
            for meter in meters:
                unused = meter.roll(now)
                if unused is not None and counted and meter is meters[-1]:
                    self.losses.ended += meter.limit.capacity
                    self.losses.unused += unused

    def refusal(self, model: str, now: float) -> Refused | None:
        """Its answer to a request, if that is no."""
        for trouble in self.member.troubles:
            if trouble.begins <= now < trouble.ends:
                return Refused(now + trouble.cools, spent=False)
        full = [meter for meter in self.meters(model) if meter.full]
        if full and self.credits <= 0:
            return Refused(max(meter.ends for meter in full), spent=True)
        return None

    def begin(self, model: str, now: float) -> None:
        """Begin an answer, and with it the windows that wait for their first use."""
        self.streams += 1
        for meter in self.meters(model):
            meter.begin(now)

    def cached(self, conversation: int, now: float, *, lifetime: float) -> int:
        """Tokens of a conversation that its prompt cache still holds."""
        at, tokens = self._caches.get(conversation, (-math.inf, 0))
        return tokens // PREFIX * PREFIX if now - at <= lifetime else 0

    def remember(self, conversation: int, now: float, tokens: int) -> None:
        """Keep a conversation in the prompt cache."""
        self._caches[conversation] = now, tokens

    def charge(self, model: str, units: float, now: float) -> None:
        """Take an answer's units: from the windows while they last, else from credits.

        A window that ended meanwhile, and is full with this answer alone, runs from now on.
        """
        meters = self.meters(model)
        if self.credits > 0 and any(meter.full for meter in meters):
            self.credits -= units
            self.bought += units
            return
        for meter in meters:
            meter.spent += units
            if meter.full:
                meter.begin(now)

    def told(self, model: str, now: float, epoch: float) -> tuple[Window, ...]:
        """The windows for a model as an answer's headers tell them."""
        if not self.member.reports_quota:
            return ()
        return tuple(meter.told(now, epoch) for meter in self.meters(model))
