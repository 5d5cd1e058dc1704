"""Which accounts are passed over, until when and why. Who decides that is codex_proapi.gateway.policy.retry.

Settled in the open: when Redis is away, a cooldown is not kept and the caller counts that.
"""

from collections.abc import Collection, Iterable

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.accounts.model import Cooldown, CooldownReason
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import Scripts, ask, text

SUCCESS_ENDS = frozenset({CooldownReason.TRANSIENT, CooldownReason.CREDENTIAL})
"""Reasons that an answer disproves. A quota is not one: an old stream may end after its window."""


class CooldownStore:
    """The cooldowns of all accounts, shared by every replica."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._scripts = Scripts(redis, __package__)

    def __repr__(self) -> str:
        return "<CooldownStore>"

    async def cool(self, account_id: str, cooldown: Cooldown, *, model: str | None = None) -> bool:
        """Pass an account over, wholly or for one model; False if a longer reason stays."""
        field = f"{account_id}:{model}" if model else account_id
        args = [field, msgspec.json.encode(cooldown).decode()]
        return bool(await self._scripts.repeat("cool", [keyspace.cooldowns()], args))

    async def clear(
        self, account_id: str, *, reasons: Collection[CooldownReason] | None = None
    ) -> int:
        """End an account's cooldowns early, those of some reasons or all; gives how many."""
        keys = [keyspace.cooldowns(), keyspace.faults(account_id)]
        args = [account_id, ",".join(sorted(reasons or ()))]
        return int(await self._scripts.repeat("clear_cooldowns", keys, args))

    async def all(
        self, account_ids: Iterable[str], *, now: float
    ) -> dict[str, dict[str, Cooldown]]:
        """The cooldowns in force by account and model; the model `""` is the whole account."""
        fields = await ask(lambda: self._redis.hgetall(keyspace.cooldowns()))
        wanted = set(account_ids)
        found: dict[str, dict[str, Cooldown]] = {}
        for field, value in fields.items():
            account_id, _, model = text(field).partition(":")
            cooldown = msgspec.json.decode(value, type=Cooldown)
            if account_id in wanted and cooldown.until > now:
                found.setdefault(account_id, {})[model] = cooldown
        return found

    async def fault(self, account_id: str) -> int:
        """Count a transient fault; gives how many came in a row."""
        key = keyspace.faults(account_id)
        return int(await self._scripts.run("fault", [key], [keyspace.FAULTS_SECONDS]))

    async def succeed(self, account_id: str) -> None:
        """An answer came: no faults in a row, and what an answer disproves has ended."""
        await self.clear(account_id, reasons=SUCCESS_ENDS)
