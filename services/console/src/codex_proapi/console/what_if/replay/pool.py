"""What the gateways of a synthetic week know, and the ballots they choose from.

It keeps the rules of `pool/state/snapshot.lua`, `pool.account_selector`, `quota.tracker` and `quota.poller` without
Redis and clocks: ties, the cursor that moves only if a conversation's own account is not free, cooldowns that all
share at once, readings of quota that arrive later, first at home and then at the others, and
questions about accounts that no answer has told of.
"""

import math
from collections import deque
from collections.abc import Collection, Sequence

from codex_proapi.commons.accounts.model import Cooldown, CooldownReason
from codex_proapi.commons.balancing.candidates import Candidate, SelectionInput, Window
from codex_proapi.commons.balancing.quota_pace import FULL, Plenty, plenty
from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.commons.redis.keyspace import AFFINITY_SECONDS
from codex_proapi.console.what_if.replay.upstream import Account, Refused
from codex_proapi.console.what_if.replay.week import Week

EPOCH = 1_790_553_600.0
"""The week begins on a Monday at midnight UTC."""
IDLE_SECONDS = 300.0
"""Age from which an account's quota is asked for."""

Reading = dict[str, tuple[Window, ...]]
"""An account's windows by model; the general ones under the empty name."""


class Replica:
    """What one gateway knows of the accounts' quota."""

    def __init__(self) -> None:
        self._known: dict[str, Reading] = {}
        self._coming: dict[str, deque[tuple[float, Reading]]] = {}

    def __repr__(self) -> str:
        return f"<Replica knowing {len(self._known)} accounts>"

    def hear(self, account: str, reading: Reading, arrives: float) -> None:
        """Take in a reading, which counts from when it arrives."""
        self._coming.setdefault(account, deque()).append((arrives, reading))

    def windows(self, account: str, model: str, now: float) -> tuple[Window, ...]:
        """The windows of an account that hold for a model, as far as they are known here."""
        coming = self._coming.get(account)
        while coming and coming[0][0] <= now:
            self._known[account] = coming.popleft()[1]
        known = self._known.get(account, {})
        return known.get(model, known.get("", ()))


class Pool:
    """All gateways together."""

    def __init__(
        self, week: Week, accounts: dict[str, Account], *, routing: Routing, reserve: float
    ) -> None:
        self._week = week
        self._accounts = accounts
        self._routing = routing
        self._reserve = reserve
        self._replicas = [Replica() for _ in range(week.replicas)]
        self._cooldowns: dict[str, Cooldown] = {}
        self._ties: dict[int, tuple[str, float]] = {}
        self._cursor = 0
        self._seen: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<Pool of {len(self._accounts)} accounts, {self._routing.value}>"

    def selection_input(
        self, conversation: int, model: str, *, now: float, replica: int, tried: Collection[str]
    ) -> SelectionInput:
        """The ballot of one attempt."""
        candidates = tuple(
            self._candidate(account, model, now, replica)
            for account in self._accounts
            if account not in tried
        )
        affine = None
        if not tried and self._routing is not Routing.ROUND_ROBIN:
            affine = self._followed(conversation, candidates, now)
        if affine is None:
            self._cursor += 1
        return SelectionInput(
            now=EPOCH + now,
            routing=self._routing,
            cursor=self._cursor if affine is None else None,
            affine=affine,
            reserve=self._reserve,
            candidates=candidates,
        )

    def tie(self, conversation: int, account: str, now: float) -> None:
        """Tie a conversation to the account that has answered."""
        self._ties[conversation] = account, now

    def cool(self, account: str, refused: Refused, now: float) -> None:
        """Pass an account over for a while, on all gateways."""
        reason = CooldownReason.QUOTA if refused.spent else CooldownReason.RATE
        until = EPOCH + refused.until
        self._cooldowns[account] = Cooldown(until=until, reason=reason, since=EPOCH + now)

    def hear(self, account: str, now: float, replica: int) -> None:
        """An answer's headers, or a refusal, tell of an account's quota."""
        reading = self._reading(account, now)
        own = _next_round(now, self._week.told_own)
        others = _next_round(own, self._week.told_others)
        self._seen[account] = now
        for number, known in enumerate(self._replicas):
            known.hear(account, reading, own if number == replica else others)

    def poll(self, now: float) -> None:
        """Ask about accounts that were not heard of; one that cools in vain is back."""
        for name in self._accounts:
            if now - self._seen.get(name, -math.inf) < IDLE_SECONDS:
                continue
            self._seen[name] = now
            reading = self._reading(name, now)
            for replica in self._replicas:
                replica.hear(name, reading, now)
            general, cooldown = reading[""], self._cooldowns.get(name)
            spent = cooldown is not None and cooldown.reason is CooldownReason.QUOTA
            if spent and general and all(window.used < FULL for window in general):
                del self._cooldowns[name]

    def _candidate(self, account: str, model: str, now: float, replica: int) -> Candidate:
        cooldown = self._cooldowns.get(account)
        real = self._accounts[account]
        return Candidate(
            id=account,
            weight=real.member.weight,
            cooldown=cooldown if cooldown and cooldown.until > EPOCH + now else None,
            windows=self._replicas[replica].windows(account, model, now),
            credits=real.credits > 0,
        )

    def _followed(
        self, conversation: int, candidates: Sequence[Candidate], now: float
    ) -> str | None:
        """A conversation's own account, if the survey would follow it there."""
        account, at = self._ties.get(conversation, ("", -math.inf))
        if now - at > AFFINITY_SECONDS:
            return None
        left = [s for s in candidates if plenty(s, now=EPOCH + now, reserve=0) < Plenty.SPENT]
        own = next((s for s in left or candidates if s.id == account), None)
        return account if own is not None and own.cooldown is None else None

    def _reading(self, account: str, now: float) -> Reading:
        real = self._accounts[account]
        return {model: real.told(model, now, EPOCH) for model in ("", *real.families)}


def _next_round(now: float, seconds: float) -> float:
    return math.ceil(now / seconds) * seconds if seconds else now
