"""Store of cooldowns: which accounts are not selected, until when and why.

They are decided by `gateway.policy.retry`. While Redis is away a cooldown is not stored; the caller
handles and counts the error.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.accounts.model import Cooldown, CooldownReason
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import text
from codex_proapi.commons.redis.multiplexed import MultiplexedConnection
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.redis.stored_reads import StoredRead, read_each
from codex_proapi.commons.redis.type_repair import Form, TypeRepair
from codex_proapi.commons.runtime.stored_records import read_json

SUCCESS_ENDS = frozenset({CooldownReason.TRANSIENT, CooldownReason.CREDENTIAL})
"""Reasons that an answer ends; not a spent quota, as a stream may end after its window was spent."""

FORMS = {keyspace.cooldowns(): Form.HASH, keyspace.cooldowns_version(): Form.VERSION}
"""The forms of what all accounts' cooldowns are kept in."""


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """When a circuit breaker opens, and for how long."""

    now: float
    """Seconds since the epoch, by Redis' clock."""
    faults: int
    """Transient faults in a row that open it."""
    first_seconds: float
    """How long it stays open the first time; doubled with each failed probe."""
    most_seconds: float
    code: str = ""
    """Code of the fault."""


class CooldownStore:
    """The cooldowns of all accounts, shared by every replica; scripts run on `connection`, if given."""

    def __init__(self, redis: Redis, *, connection: MultiplexedConnection | None = None) -> None:
        self._redis = redis
        self._scripts = Scripts(redis, __package__, connection=connection)
        self._repair = TypeRepair(redis)

    def __repr__(self) -> str:
        return "<CooldownStore>"

    async def cool(self, account_id: str, cooldown: Cooldown, *, model: str | None = None) -> bool:
        """Start a cooldown of an account or one model on it; False if a longer reason stays."""
        field = f"{account_id}:{model}" if model else account_id
        keys = [keyspace.cooldowns(), keyspace.cooldowns_version()]
        args = [field, msgspec.json.encode(cooldown).decode()]
        return bool(await self._run("set_cooldown", keys, args))

    async def clear(
        self,
        account_id: str,
        *,
        reasons: Collection[CooldownReason] | None = None,
        begun_by: float | None = None,
    ) -> int:
        """End an account's cooldowns early; returns how many.

        Args:
            account_id: The account.
            reasons: Only cooldowns of these reasons; None for all.
            begun_by: With reasons: only cooldowns begun at this time or before, seconds since the
                epoch. Facts observed before a cooldown began do not end it.
        """
        keys = [
            *(keyspace.cooldowns(), keyspace.faults(account_id)),
            keyspace.cooldowns_version(),
        ]
        latest = "" if begun_by is None else begun_by
        args = [account_id, ",".join(sorted(reasons or ())), latest]
        return int(await self._run("clear_cooldowns", keys, args))

    async def all(
        self, account_ids: Iterable[str], *, now: float
    ) -> dict[str, dict[str, Cooldown]]:
        """The cooldowns in force by account and model; the model `""` is the whole account."""
        read = StoredRead("value", "cooldowns", ("HGETALL", keyspace.cooldowns()))
        [fields] = await read_each(self._redis, [read])
        wanted = set(account_ids)
        found: dict[str, dict[str, Cooldown]] = {}
        for field, value in (fields or {}).items():
            account_id, _, model = text(field).partition(":")
            cooldown = read_cooldown(value, name=text(field))
            if account_id in wanted and cooldown is not None and cooldown.until > now:
                found.setdefault(account_id, {})[model] = cooldown
        return found

    async def fault(self, account_id: str, opening: "Opening") -> float | None:
        """Count a transient fault; seconds its circuit breaker opens for, None if it does not.

        An open breaker is a cooldown, written in the same step. Raises StoreUnavailable.
        """
        keys = [
            *(keyspace.faults(account_id), keyspace.cooldowns()),
            keyspace.cooldowns_version(),
        ]
        args = [
            *(keyspace.FAULTS_SECONDS, account_id, opening.now, opening.faults),
            *(opening.first_seconds, opening.most_seconds, opening.code[:64]),
        ]
        faults = {keyspace.faults(account_id): Form.COUNTER}
        seconds = text(
            await self._repair.run(
                lambda: self._scripts.run("count_fault", keys, args), lambda: FORMS | faults
            )
        )
        return float(seconds) if seconds else None

    async def succeed(self, begun_at: Mapping[str, float]) -> Sequence[bool]:
        """Record answers: reset counts of faults, free probe locks, end cooldowns of SUCCESS_ENDS.

        Gives of each account whether that was done: nothing has changed where such a cooldown began
        after the attempt, because what was learnt before it does not end it.

        Args:
            begun_at: When the attempts began, seconds since the epoch, by account id.
        """
        keys = [keyspace.cooldowns(), keyspace.cooldowns_version()]
        args: list[str | float] = [",".join(sorted(SUCCESS_ENDS))]
        for account_id, at in begun_at.items():
            keys += keyspace.faults(account_id), keyspace.probe(account_id)
            args += account_id, at
        return [bool(done) for done in await self._run("record_success", keys, args)]

    async def _run(self, script: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run an idempotent script; what it shares is replaced where it has another Redis type."""
        return await self._repair.run(
            lambda: self._scripts.repeat(script, keys, args), lambda: FORMS
        )


class _End(msgspec.Struct):
    """What any version of a cooldown has."""

    until: float


def read_cooldown(body: str | bytes, *, name: str) -> Cooldown | None:
    """Decode a cooldown kept under a name (`account` or `account:model`).

    One of another version's form counts until its `until`; None if it has none.
    """
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeError):
        end = read_json(body, _End, kind="cooldown", name=name)
        return None if end is None else Cooldown(until=end.until)


_DECODER = msgspec.json.Decoder(Cooldown)
