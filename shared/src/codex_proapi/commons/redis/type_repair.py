"""Replaces values of another type under keys whose content the product can make anew.

Cooldowns, counters of a minute, slots and versions stand between every request and upstream: one
of them with a value of another type (written by hand, or by another program) would refuse everybody
until somebody removes it. Nothing of ours is lost by it: there is nothing of ours in such a value.
What cannot be made anew (accounts, API keys, usage) is never replaced here.
"""

import enum
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.circuit_breaker import is_away
from codex_proapi.commons.redis.clients import ask, text
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.runtime.stored_records import UNREADABLE

T = TypeVar("T")


class Form(enum.StrEnum):
    """What a key holds."""

    HASH = "hash"
    SET = "set"
    SORTED_SET = "zset"
    COUNTER = "counter"
    """A whole number; it begins again at 0."""
    VERSION = "version"
    """A counter of changes; it goes on from a number that no process has seen."""


class TypeRepair:
    """Replaces them, in one step with the look at their types."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._scripts = Scripts(redis, __package__)

    def __repr__(self) -> str:
        return "<TypeRepair>"

    async def run(
        self, call: Callable[[], Awaitable[T]], forms: Callable[[], Mapping[str, Form]]
    ) -> T:
        """Run a call; where Redis rejects it because of the type of one of these keys, once more.

        Args:
            call: raises StoreUnavailable, and has changed nothing where a type is another.
            forms: the form of each key that may be replaced; asked for only after an error.
        """
        try:
            return await call()
        except StoreUnavailable as error:
            if not await self.repair(error, forms()):
                raise
        return await call()

    async def repair(self, error: StoreUnavailable, forms: Mapping[str, Form]) -> bool:
        """Replace values of another form; False where there is none, or Redis is away."""
        return not is_away(error) and await self._replace(forms)

    async def version(self, name: str) -> int:
        """A version; 0 if it was never counted. Raises StoreUnavailable."""
        forms = {name: Form.VERSION}

        async def read() -> Any:
            return await ask(lambda: self._redis.get(name))

        found = await self.run(read, lambda: forms)
        if not _is_count(found) and await self._replace(forms):
            found = await read()
        return int(found or 0)

    async def _replace(self, forms: Mapping[str, Form]) -> bool:
        names = list(forms)
        replaced = await self._scripts.repeat("type_repair", names, list(forms.values()))
        for position in replaced:
            name = names[position - 1].removeprefix(f"{keyspace.TAG}:")
            UNREADABLE.note("value", name, "another Redis type, replaced")
        return bool(replaced)


def _is_count(found: object) -> bool:
    return found is None or text(found).removeprefix("-").isdecimal()
