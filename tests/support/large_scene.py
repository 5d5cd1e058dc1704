"""A store with much in it: hundreds of accounts, a thousand keys, a year of usage, a long log."""

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis
from support.console_scene import DAY, HOUR, MODELS, Scene, a_catalogue, a_quota
from support.logins import a_login

from codex_proapi.commons.accounts.model import AccountState, Cooldown, CooldownReason
from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.usage.calendar import UTC
from codex_proapi.commons.usage.counters import day_of
from codex_proapi.commons.usage.hours import quarters_of
from codex_proapi.commons.usage.log_stream import encode_entry, entry_of
from codex_proapi.commons.usage.packing import DETAIL_DAYS
from codex_proapi.commons.usage.sums import Counters

TEAMS = ("Build", "Data", "Design", "Docs", "Ops", "Payments", "Search", "Support")
AT_ONCE = 300
"""Commands in one pipeline."""
Add = Callable[..., Awaitable[None]]


class LargeScene(Scene):
    """The scene of the page tests, many times as large."""

    def __init__(
        self,
        redis: Redis,
        *,
        now: float,
        accounts: int = 300,
        keys: int = 1000,
        days: int = 365,
        entries: int = 100_000,
        hours: Sequence[int] = range(9, 18),
    ) -> None:
        super().__init__(redis, now=now)
        self.sizes = accounts, keys, days, entries
        self.hours = hours
        self._dice = random.Random(11)

    async def fill(self) -> "LargeScene":
        """Put everything there."""
        accounts, keys, days, entries = self.sizes
        await self._accounts(accounts)
        await self._keys(keys)
        await self._usage(days)
        await self._log(entries)
        await self.gateways()
        return self

    async def _accounts(self, count: int) -> None:
        pipe, dice = self.redis.pipeline(transaction=False), self._dice
        for number in range(count):
            plan = dice.choice(("plus", "plus", "team", "pro"))
            account = await self.accounts.add(
                a_login(
                    exp=int(self.now) + 9 * DAY,
                    workspace=f"workspace-{number:05}",
                    email=f"{TEAMS[number % 8].lower()}.{number:04}@example.com",
                    plan=plan,
                    refresh_token=f"rt_{number}",
                    created_at=int(self.now) - 200 * DAY + number,
                )
            )
            self.ids.append(account.id)
            quota = a_quota(self.now, dice.uniform(0, 100), dice.uniform(5, 95))
            pipe.set(keyspace.quota(account.id), _json(quota))
            pipe.set(keyspace.catalogue(account.id), a_catalogue(), ex=DAY)
            pipe.hset(keyspace.account(account.id), "last_used_at", int(self.now) - number * 60)
            if number % 25 == 3:
                spent = Cooldown(
                    until=self.now + dice.uniform(0.2, 5) * HOUR,
                    since=self.now - HOUR,
                    reason=CooldownReason.QUOTA,
                    code="usage_limit_reached",
                )
                pipe.hset(keyspace.cooldowns(), account.id, _json(spent))
        await pipe.execute()
        for number in range(0, count, 60):
            await self.accounts.mark(self.ids[number], AccountState.REVOKED, "refresh_token_reused")

    async def _keys(self, count: int) -> None:
        for number in range(count):
            limits = Limits(rpm=60, tokens_day=2_000_000) if number % 3 else Limits()
            key, _ = await self.keys.create(
                f"{TEAMS[number % 8]} agent {number:04}",
                owner=f"{TEAMS[number % 8].lower()}-{number % 120:03}@example.com",
                limits=limits,
                created_at=int(self.now) - number * HOUR,
            )
            self.key_names[key.id] = key.name
            if number % 50 == 7:
                await self.keys.revoke(key.id)

    async def _usage(self, days: int) -> None:
        """The counters as gateways and the packer leave them."""
        queue = _Pipe(self.redis)
        for back, day in enumerate(UTC.days_back(self.now, days)):
            if back < DETAIL_DAYS:
                await self._written_day(day, queue.add)
            else:
                await self._packed_day(day, queue.add)
        await self._series(queue.add)
        await queue.flush()

    async def _written_day(self, day: str, add: Add) -> None:
        for kind, subjects in self._subjects().items():
            for subject in subjects:
                models = [subject] if kind == "model" else self._dice.sample(MODELS, 3)
                fields: dict[str, int] = {}
                hours: dict[str, str] = {}
                total = Counters()
                for model in models:
                    used = self._counters()
                    total.add(used)
                    fields |= {f"{model} {n}": getattr(used, n) for n in used.__struct_fields__}
                    hours |= self._hours(day, model)
                counted = {n: getattr(total, n) for n in total.__struct_fields__}
                await add("HSET", keyspace.usage(day, kind, subject), *_flat(counted))
                if kind != "model":
                    of_day = _flat(fields | hours)
                    await add("HSET", keyspace.usage_models(day, subject), *of_day)
                elif hours:
                    bare = {name.partition(" ")[2]: text for name, text in hours.items()}
                    await add("HSET", keyspace.usage(day, kind, subject), *_flat(bare))
            await add("SADD", keyspace.usage_subjects(day, kind), *subjects)

    def _hours(self, day: str, model: str) -> dict[str, str]:
        """The hours of a day in which a subject used a model."""
        begin = UTC.begin_of(day)
        return {
            f"{model} {quarters_of(begin + hour * HOUR)}": _text(self._counters(20))
            for hour in self.hours
        }

    async def _packed_day(self, day: str, add: Add) -> None:
        for kind, subjects in self._subjects().items():
            packed = {subject: _text(self._counters()) for subject in subjects}
            for period in (day, day[:7]):
                await add("HSET", keyspace.usage_packed(period, kind), *_flat(packed))
        packed = {
            f"{key} {model}": _text(self._counters())
            for key in self.key_names
            for model in MODELS[:3]
        }
        for period in (day, day[:7]):
            await add("HSET", keyspace.usage_packed(period, "key-model"), *_flat(packed))

    def _subjects(self) -> dict[str, Sequence[str]]:
        return {"key": list(self.key_names), "account": self.ids, "model": MODELS}

    async def _series(self, add: Add) -> None:
        for back in range(8):
            fields = {
                f"{slot} {name}": value
                for slot in range(288)
                for used in [self._counters()]
                for name, value in zip(used.__struct_fields__, _values(used), strict=True)
            }
            day = day_of(self.now - back * DAY)
            await add("HSET", keyspace.usage_series(day), *_flat(fields))

    async def _log(self, count: int) -> None:
        queue, keys = _Pipe(self.redis), list(self.key_names)
        begin = self.now - count * 2
        for number in range(count):
            at = begin + number * 2
            record = self.record(number, at=at, key_id=keys[number % len(keys)])
            entry = encode_entry(entry_of(record))
            await queue.add("XADD", keyspace.logs(), f"{int(at * 1000)}-0", "entry", entry)
        await queue.flush()

    def _counters(self, most: int = 60) -> Counters:
        dice = self._dice
        requests = dice.randrange(1, most)
        read = requests * dice.randrange(5_000, 80_000)
        return Counters(
            requests=requests,
            errors=dice.randrange(3),
            input=read,
            cached=int(read * 0.8),
            output=requests * 900,
            reasoning=requests * 300,
            first_bytes=requests,
            first_byte_ms=requests * 1400,
            total_ms=requests * 9000,
        )


class _Pipe:
    """Commands, sent many at a time."""

    def __init__(self, redis: Redis) -> None:
        self._pipe = redis.pipeline(transaction=False)

    async def add(self, *command: Any) -> None:
        self._pipe.execute_command(*command)
        if len(self._pipe) >= AT_ONCE:
            await self.flush()

    async def flush(self) -> None:
        await self._pipe.execute()


def _flat(fields: dict[str, Any]) -> list[Any]:
    return [part for pair in fields.items() for part in pair]


def _values(counters: Counters) -> list[int]:
    return [getattr(counters, name) for name in counters.__struct_fields__]


def _text(counters: Counters) -> str:
    return " ".join(map(str, _values(counters)))


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
