"""Puts records into a Redis all at once: written beside what is there, then exchanged in one step.

Everything is written under names of its own first, which expire after a day. Then one script takes
away what was there and gives the staged values their names. Whoever is killed before it has changed
nothing, and may begin again; Redis runs the script whole, and keeps it whole on disk and in replicas.
"""

import asyncio
import secrets
from collections.abc import Iterable, Sequence
from typing import Any

from redis.asyncio import Redis

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.redis import keyspace, operator_keys
from codex_proapi.commons.redis.clients import ask, mapped, text
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.runtime.errors import (
    CommonsError,
    CredentialUnavailable,
    StoreUnavailable,
)
from codex_proapi.console.alerts.destinations import resealed_destinations
from codex_proapi.console.cli.archive.file_format import Record
from codex_proapi.console.cli.archive.store_records import (
    BATCH,
    LASTING,
    PREFIX,
    VERSIONS,
    kind_of,
    lasting_names,
    names_below,
)

TRIES = 20
"""How often putting in place is tried while the connection breaks; a second apart."""
_REASONS = {
    "other": "another restore was begun meanwhile: nothing was changed by this one",
    "gone": "it took longer than a day: nothing was changed",
    "absent": "what was staged is gone: nothing was changed",
}


class RestoreFailed(CommonsError):
    """A restore did not take place, or not everything is there after it; the message says which."""


class StagedRestore:
    """One restore into one Redis.

    Args:
        redis: The target.
        source: Opens the credentials of the records.
        target: Encrypts them under the target's keys.
    """

    def __init__(self, redis: Redis, *, source: CredentialCipher, target: CredentialCipher) -> None:
        self.locked = 0
        """Credentials that none of the source's keys opens."""
        self._redis = redis
        self._ciphers = source, target
        self._id = secrets.token_hex(8)
        self._plan = keyspace.restore_plan(self._id)
        self._scripts = Scripts(redis, __package__)
        self._begun: set[str] = set()

    def __repr__(self) -> str:
        return f"<StagedRestore {self._id}>"

    async def stage(self, records: Iterable[Record]) -> None:
        """Write the records beside what is there, and plan what becomes of each name.

        Leftovers of a restore that was killed go first.
        """
        await self._remove_staged("")
        await ask(
            lambda: self._redis.set(keyspace.restore(), self._id, ex=keyspace.RESTORE_SECONDS)
        )
        await self._plan_removals()
        raised = dict.fromkeys(VERSIONS, 0)
        pending: list[tuple[str, ...]] = []
        for record in records:
            if record.name in raised:
                known = str(record.value)
                raised[record.name] = int(known) if known.isdecimal() else 0
            elif kind_of(record.name) in LASTING:
                pending += self._commands(record)
            if len(pending) >= BATCH:
                await _send(self._redis, pending)
                pending = []
        pending += [("HSET", self._plan, name, f"+{least + 1}") for name, least in raised.items()]
        await _send(self._redis, pending)

    async def publish(self) -> None:
        """Exchange what was there for what is staged; again while the connection breaks.

        Raises RestoreFailed, or StoreUnavailable after which it may or may not have taken place.
        """
        arguments = (self._id, PREFIX, self._plan, keyspace.restored_record(self._id, ""))
        for attempt in range(1, TRIES + 1):
            try:
                reply = await self._scripts.run(
                    "publish_restore", [keyspace.restore()], arguments, durably=True
                )
            except StoreUnavailable:
                if attempt == TRIES:
                    raise
                await asyncio.sleep(1)
                continue
            said = text(reply)
            if said == "done" or (said == "absent" and attempt > 1):
                return  # the reply of the time before was lost; `check` tells
            raise RestoreFailed(_REASONS[said])

    async def give_up(self) -> None:
        """Remove what is staged, if Redis can be reached; what it forgets expires."""
        await self._remove_staged(self._id)
        await ask(lambda: self._redis.delete(keyspace.restore()))

    def _commands(self, record: Record) -> Sequence[tuple[str, ...]]:
        """The commands that stage one record and plan its place."""
        value = self._target_value(record)
        staged = keyspace.restored_record(self._id, record.name)
        made = _writes(staged, record.kind, value)
        if not made:
            return []
        if record.name in self._begun:  # a further part of a long stream
            return made
        self._begun.add(record.name)
        expires = ("PEXPIRE", staged, str(keyspace.RESTORE_SECONDS * 1000))
        return [*made, expires, ("HSET", self._plan, record.name, str(record.milliseconds))]

    def _target_value(self, record: Record) -> Any:
        """A record's value with what is sealed under the target's first key."""
        if kind_of(record.name) == "credential":
            return self._resealed(record)
        if PREFIX + record.name == operator_keys.alert_destinations():
            source, target = self._ciphers
            return resealed_destinations(record.value, source=source, target=target)
        return record.value

    def _resealed(self, record: Record) -> Any:
        """A credential's hash under the target's first key, or as it is where no key opens it."""
        source, target = self._ciphers
        sealed = str(record.value.get("sealed", "")).encode()
        try:
            source.reseal(sealed, record.name.partition(":")[2])  # refuses another account's
        except CredentialUnavailable:
            self.locked += 1
            return record.value
        plain = source.open_bytes(sealed) or b""
        return record.value | {"sealed": target.seal_bytes(plain).decode()}

    async def _plan_removals(self) -> None:
        """Everything that is there goes, unless a record takes its name."""
        names = [name async for name in lasting_names(self._redis)]
        removals = [("HSET", self._plan, name.removeprefix(PREFIX), "-") for name in names]
        for begin in range(0, len(removals), BATCH):
            await _send(self._redis, removals[begin : begin + BATCH])
        life = str(keyspace.RESTORE_SECONDS)
        await _send(
            self._redis, [("HSET", self._plan, VERSIONS[0], "+1"), ("EXPIRE", self._plan, life)]
        )

    async def _remove_staged(self, restore_id: str) -> None:
        """Remove what one restore has staged; what any has if `restore_id` is empty."""
        staged = keyspace.restored_record(restore_id, "").rstrip(":")
        for prefix in (staged, keyspace.restore_plan(restore_id)):
            names = [name async for name in names_below(self._redis, prefix)]
            with mapped():
                for begin in range(0, len(names), BATCH):
                    await self._redis.unlink(*names[begin : begin + BATCH])


def _writes(name: str, kind: str, value: Any) -> list[tuple[str, ...]]:
    """The commands that write one value under a name; none for a kind that is not known."""
    match kind:
        case "string":
            return [("SET", name, str(value))]
        case "hash":
            return [("HSET", name, *(str(part) for pair in value.items() for part in pair))]
        case "set":
            return [("SADD", name, *map(str, value))]
        case "zset":
            return [("ZADD", name, *(str(part) for member, at in value for part in (at, member)))]
        case "stream":
            return [
                ("XADD", name, entry_id, *(str(part) for pair in fields.items() for part in pair))
                for entry_id, fields in value
            ]
        case _:
            return []


async def _send(redis: Redis, commands: Sequence[tuple[str, ...]]) -> None:
    if not commands:
        return
    with mapped():
        pipe = redis.pipeline(transaction=False)
        for command in commands:
            pipe.execute_command(*command)
        await pipe.execute()
