"""What a key's limits leave of a request: asked for with the pool's snapshot, exact across replicas.

A charge is made once for each exchange, in the snapshot's own script. Requests of the last minute are
kept by id, so a script that is repeated draws once; tokens of the last minute by second, estimated
on the way in and corrected at settlement. The only clock is Redis'. A stream holds its place by a lease that its replica
renews: a place of a replica that died is free again when the lease ends.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from codex_proapi.commons.api_keys.limits import Limit, Limits
from codex_proapi.commons.redis import keyspace
from codex_proapi.gateway.accounting.settlement import permit_id
from codex_proapi.gateway.limits.budgets import WEEK_DAYS, Spent, day_of_month, days_counted

STREAM_SECONDS = 45
"""How long a place is held without being renewed; heals within a minute after a replica died."""


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a draw, and what is left after it."""

    refused: Limit = Limit.NONE
    """The limit that was reached; nothing is drawn then."""
    wait: float = 0.0
    """Seconds until asking again makes sense; 0 is unknown."""
    requests_left: int = 0
    requests_reset: float = 0.0
    """Seconds until the oldest request leaves the minute."""
    tokens_left: int = 0
    tokens_reset: float = 0.0
    """Seconds until the oldest tokens leave the minute."""
    days: int = 0
    """Of a spent budget: how many midnights (UTC) until there is something left."""
    spent: Spent = Spent()
    """Of the key's budgets, before this exchange."""
    at: float = 0.0
    """When it was asked for, by Redis' clock."""


class LimitCharge(msgspec.Struct, kw_only=True):
    """What one exchange asks of its key's limits; remembers what it was given."""

    key_id: str
    limits: Limits
    request_id: str
    version: int
    """The version of the keys that the limits are of: drawn only if it is still the same."""
    tokens: int
    """Estimated; corrected when the exchange is settled."""
    allowance: Allowance | None = None
    """None until a snapshot has asked."""
    drawn_at: int = 0
    """Redis' second in which it was counted; 0 for not at all."""

    @property
    def leased(self) -> bool:
        """Whether it holds a place among the streams of its key."""
        return bool(self.limits.concurrent) or self.limits.budgeted

    @property
    def permit_id(self) -> str:
        """Its member of the set of streams."""
        return permit_id(self.request_id, self.tokens)

    def keys(self, now: float) -> Sequence[str]:
        """The keys that the script touches: the minute, the streams, and usage from today back."""
        return (
            keyspace.minute_requests(self.key_id),
            keyspace.minute_tokens(self.key_id),
            keyspace.streams(self.key_id),
            *(keyspace.usage(day, "key", self.key_id) for day in days_counted(self.limits, now)),
        )

    def arguments(self, now: float) -> Sequence[Any]:
        """The arguments of the script."""
        limits = self.limits
        return (
            *(self.version, self.request_id, self.tokens, limits.rpm, limits.tpm),
            *(limits.concurrent, self.permit_id if self.leased else "", STREAM_SECONDS),
            *(limits.tokens_day, limits.tokens_week, limits.tokens_month),
            day_of_month(now),
            int(now) // keyspace.DAY,
        )

    def take(self, told: Sequence[Any], now: float) -> Allowance | None:
        """Take in the script's reply; None if the keys or the day have changed."""
        refused, wait, requests, requests_reset, tokens, tokens_reset, days, *spent = told
        if refused == "changed":
            return None
        self.allowance = Allowance(
            refused=Limit(refused),
            wait=wait / 1000,
            requests_left=requests,
            requests_reset=requests_reset / 1000,
            tokens_left=tokens,
            tokens_reset=tokens_reset / 1000,
            days=days,
            spent=_spent(spent, days if refused == Limit.WEEK else WEEK_DAYS),
            at=now,
        )
        if self.allowance.refused is Limit.NONE:
            self.drawn_at = int(now)
        return self.allowance


def charge_for(
    key_id: str, limits: Limits, *, request_id: str, version: int, tokens: int
) -> LimitCharge | None:
    """What an exchange draws on a key; None where it has no limits.

    More than a whole minute's tokens is asked for as just that much: it has to pass alone.
    """
    if limits == Limits():
        return None
    return LimitCharge(
        key_id=key_id,
        limits=limits,
        request_id=request_id,
        version=version,
        tokens=min(tokens, limits.tpm) if limits.tpm else tokens,
    )


def _spent(sums: Sequence[int], week_midnights: int) -> Spent:
    """What the script says is spent; what is asked for is spent today, and counts for a week."""
    day, week, month = sums
    return Spent(day=day, week=week, month=month, week_midnights=week_midnights)
