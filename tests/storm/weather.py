"""One storm: gateways, a Redis and a backend, a crowd before them, and what goes wrong meanwhile."""

import asyncio
import contextlib
import pathlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from cryptography.fernet import Fernet
from redis.asyncio import Redis
from storm.crowd import Crowd, Member, Seen, Spent, add
from storm.fleet import Fleet
from support.gateways import a_chat, log_in
from support.redis_server import RedisServer
from support.redis_sets import RedisSentinels, RedisShards

from commons import redis_keys
from commons.accounts.cipher import CredentialCipher
from commons.accounts.store import AccountStore
from commons.keys import KeyStore
from commons.limits import Limits
from commons.redis_pool import connect
from commons.usage import Counters, UsageStore, day_of
from standalone.simulator import Arrival, SimulatedAccount, Simulator

FROZEN_SECONDS = 2.0
AWAY_SECONDS = 1.0
NO_LIMITS = Limits()
KINDS = ("input", "cached", "output", "reasoning")


@dataclass(frozen=True)
class Who:
    """A member of the team, and what their key may do."""

    name: str
    limits: Limits = NO_LIMITS
    leaves: bool = False


@dataclass
class Storm:
    """What there is while it lasts."""

    sim: Simulator
    server: RedisServer | RedisSentinels | RedisShards
    redis: Redis
    fleet: Fleet
    keys: KeyStore
    members: dict[str, Member]
    ids: dict[str, str] = field(default_factory=dict)
    """Ids of the members' keys."""
    accounts: dict[str, str] = field(default_factory=dict)
    """Ids of the accounts by the names the simulator gives them."""
    begun: float = field(default_factory=time.time)
    kills: int = 0

    async def kill_gateway(self) -> None:
        """Kill the next gateway, and start it again."""
        place = self.kills % len(self.fleet.ports)
        self.kills += 1
        await self.fleet.kill(place)
        await self.fleet.start(place)

    async def restart_redis(self) -> None:
        """Kill Redis; it is back a moment later with what it had written."""
        assert isinstance(self.server, RedisServer)
        await asyncio.to_thread(self.server.kill)
        await asyncio.sleep(AWAY_SECONDS)
        await asyncio.to_thread(self.server.start)

    async def freeze_redis(self) -> None:
        """Let Redis answer nothing for longer than anybody waits."""
        assert isinstance(self.server, RedisServer)
        self.server.freeze()
        await asyncio.sleep(FROZEN_SECONDS)
        self.server.thaw()

    async def lose_primary(self) -> None:
        """Kill the Redis that takes writes; its replica is made primary by whoever watches them."""
        assert not isinstance(self.server, RedisServer)
        self.server.kill(self.server.primary)

    async def revoke(self, member: str) -> float:
        """Take a key back; gives the seconds until every gateway has refused it."""
        begun = time.monotonic()
        await self.keys.revoke(self.ids[member])
        while set(await self.statuses(member)) != {401}:
            await asyncio.sleep(0.05)
        return time.monotonic() - begun

    async def statuses(self, member: str) -> list[int]:
        """What each gateway answers somebody now."""
        headers = {"authorization": f"Bearer {self.members[member].secret}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            found = []
            for port in self.fleet.ports:
                url = f"http://127.0.0.1:{port}/v1/chat/completions"
                async with session.post(url, json=a_chat()) as answer:
                    found.append(answer.status)
            return found

    async def places(self) -> list[float]:
        """Until when the places are held that keys have among their streams."""
        names = [redis_keys.streams(key_id) for key_id in self.ids.values()]
        held: list[float] = []
        for name in names:
            found: Any = await self.redis.zrange(name, 0, -1, withscores=True)
            held += [until for _, until in found]
        return held

    async def rage(
        self,
        deeds: Sequence[Callable[["Storm"], Awaitable[None]]],
        *,
        clients: int,
        calm_seconds: float,
    ) -> Seen:
        """Let the crowd ask while one thing after the other goes wrong; tells what it saw."""
        crowd = Crowd(self.fleet.ports, list(self.members.values()))
        over = asyncio.Event()
        asking = asyncio.ensure_future(crowd.ask(clients=clients, until=over))
        for deed in deeds:
            await asyncio.sleep(calm_seconds)
            await deed(self)
        await asyncio.sleep(calm_seconds)
        over.set()
        await asking
        return crowd.seen

    async def counted(self) -> dict[str, dict[str, Counters]]:
        """What the counters say, by kind and subject, once all gateways have written what they had."""
        days = sorted({day_of(self.begun), day_of(time.time())})
        before = None
        while True:
            usage = UsageStore(self.redis)
            found: dict[str, dict[str, Counters]] = {}
            for kind in ("key", "account", "model"):
                sums = found.setdefault(kind, {})
                for subjects in (await usage.read(kind, days)).values():  # type: ignore[arg-type]
                    for subject, counters in subjects.items():
                        sums.setdefault(subject, Counters()).add(counters)
            if found == before:
                return found
            before = found
            await asyncio.sleep(1.5)

    def truth(self, seen: Seen) -> dict[str, dict[str, Spent]]:
        """What whole answers cost, by kind and subject: from the clients, and from who answered whom."""
        found: dict[str, dict[str, Spent]] = {"key": {}, "model": {}, "account": {}}
        for (member, model), spent in seen.spent.items():
            add(found["key"].setdefault(self.ids[member], Spent()), spent)
            add(found["model"].setdefault(model, Spent()), spent)
        for arrival in self.sim.turns:
            cost = seen.prompts.get(word_of(arrival.body))
            if cost is not None and arrival.ending == "whole":
                add(found["account"].setdefault(self.accounts[arrival.account], Spent()), cost)
        return found

    def asked(self, member: str) -> int:
        """How often the backend was asked in somebody's name."""
        return len(self._turns(member))

    def at_once(self, member: str) -> int:
        """How many answers were under way in somebody's name at the same time, at most."""
        turns = self._turns(member)
        steps = [(turn.at, 1) for turn in turns] + [(turn.ended_at, -1) for turn in turns]
        most = now = 0
        for _, step in sorted(steps):
            now += step
            most = max(most, now)
        return most

    def _turns(self, member: str) -> list[Arrival]:
        return [t for t in self.sim.turns if word_of(t.body).startswith(f"{member}-")]


def word_of(body: object) -> str:
    """The word that marks the prompt of a request, as the backend got it."""
    text = body["input"][-1]["content"][0]["text"] if isinstance(body, dict) else ""
    words = [word for word in text.split() if "-" in word and word[-1].isdigit()]
    return words[0] if words else ""


def drift(counted: dict[str, Counters], truth: dict[str, Spent]) -> dict[str, float]:
    """By how much the counters are off, as a part of the truth, by kind of token."""
    found = {}
    for kind in KINDS:
        said = sum(getattr(each, kind) for each in counted.values())
        true = sum(getattr(each, kind) for each in truth.values())
        found[kind] = (said - true) / max(true, 1)
    return found


@contextlib.asynccontextmanager
async def storm(
    folder: pathlib.Path,
    team: Sequence[Who],
    *,
    accounts: Sequence[str],
    gateways: int = 5,
    servers: RedisSentinels | RedisShards | None = None,
    **settings: str,
) -> AsyncIterator[Storm]:
    """Everything started: a Redis that keeps what it is told, a backend, gateways and keys."""
    async with contextlib.AsyncExitStack() as stack:
        server = servers or stack.enter_context(RedisServer("--appendonly", "yes"))
        logins = [SimulatedAccount(name=name, percent_per_request=0) for name in accounts]
        sim = await stack.enter_async_context(Simulator(accounts=logins))
        secret = Fernet.generate_key().decode()
        redis = connect(server.url)
        stack.push_async_callback(redis.aclose)
        cipher = CredentialCipher([secret])
        keys = KeyStore(redis, cipher)
        store = AccountStore(redis, cipher)
        ids, members = {}, {}
        for who in team:
            key, key_secret = await keys.create(who.name, limits=who.limits)
            ids[who.name] = key.id
            members[who.name] = Member(who.name, key_secret, who.leaves)
        now = int(time.time())
        known = {
            name: await log_in(store, sim, name, created_at=now + place)
            for place, name in enumerate(accounts)
        }
        environ = {
            **sim.environ,
            "REDIS_URL": server.url,
            "ENCRYPTION_KEYS": secret,
            "API_KEY_POLICY": "required",
            "DRAIN_SETTLE_SECONDS": "0",
            **settings,
        }
        fleet = await stack.enter_async_context(Fleet(gateways, environ=environ, folder=folder))
        yield Storm(sim, server, redis, fleet, keys, members, ids, known)
