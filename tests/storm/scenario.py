"""One storm: gateways, a Redis and a backend, a crowd before them, and what goes wrong meanwhile."""

import asyncio
import contextlib
import pathlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from cryptography.fernet import Fernet
from redis.asyncio import Redis
from storm.clients import Crowd, Member, Seen
from storm.dialects import Spent
from storm.replicas import Fleet
from support.gateways import a_chat, log_in
from support.redis_clients import connect_patiently
from support.redis_server import RedisServer
from support.redis_sets import RedisSentinels, RedisShards
from support.slots import slots_in_use

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.api_keys.store import KeyStore
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import connect
from codex_proapi.commons.usage.counters import Counters, UsageStore, day_of
from codex_proapi.simulator import ReceivedRequest, SimulatedAccount, Simulator

FROZEN_SECONDS = 2.0
AWAY_SECONDS = 1.0
NO_LIMITS = Limits()
SPENT_SECONDS = 2
"""How long an account says that it will be spent; it is asked again then."""
SCARCE_PERCENT = 95
KNOWN_SECONDS = 90
"""How soon every gateway knows it: half a minute, and longer on a busy machine."""
ENOUGH_SECONDS = 120
DYING_SECONDS = 2.0
"""How soon an answer is counted, on a busy machine."""
LATE_SECONDS = 0.5
"""How much later than the gateway the backend may notice that an answer is not wanted any more."""
KINDS = ("input", "cached", "output", "reasoning")


@dataclass(frozen=True)
class Who:
    """A member of the team, and what their key may do."""

    name: str
    limits: Limits = NO_LIMITS
    weight: float = 1.0
    leaves: bool = False
    wordy: bool = False
    """Whether they ask only long things, and only when all is scarce."""


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
    logs: pathlib.Path = pathlib.Path()
    """The folder where the gateways' logs are."""
    seed: int = 1
    seen: Seen = field(default_factory=Seen)
    begun: float = field(default_factory=time.time)
    kills: list[tuple[int, float]] = field(default_factory=list)
    """The ports of gateways that were killed, and when."""

    async def kill_gateway(self) -> None:
        """Kill the next gateway, and start it again."""
        place = len(self.kills) % len(self.fleet.ports)
        self.kills.append((self.fleet.ports[place], time.monotonic()))
        await self.fleet.kill(place)
        await self.fleet.start(place)

    async def restart_redis(self) -> None:
        """Kill Redis; it is back a moment later with what it had written."""
        assert isinstance(self.server, RedisServer)
        await asyncio.to_thread(self.server.kill)
        await asyncio.sleep(AWAY_SECONDS)
        await asyncio.to_thread(self.server.start)

    async def cut_power(self) -> None:
        """Let the machine of Redis fail, with what Redis wrote in its last second."""
        assert isinstance(self.server, RedisServer)
        await asyncio.to_thread(self.server.lose_power)
        await asyncio.sleep(AWAY_SECONDS)
        await asyncio.to_thread(self.server.start)

    async def spend_account(self) -> None:
        """Let the quota of an account be spent."""
        self.sim.script(
            "usage_limit_reached", account="ben", times=None, resets_in=float(SPENT_SECONDS)
        )

    async def refill_account(self) -> None:
        """Let it be there again."""
        self.sim.world.faults.clear()

    async def run_short(self) -> None:
        """Let all accounts be nearly out of quota."""
        for account in self.sim.accounts:
            account.used_percent = SCARCE_PERCENT

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
        names = [keyspace.streams(key_id) for key_id in self.ids.values()]
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
        enough: Callable[[Seen], bool] = lambda _: True,
    ) -> Seen:
        """Let the crowd ask while one thing after the other goes wrong, and until it saw enough."""
        async with self._crowd([m for m in self.members.values() if not m.wordy], clients):
            for deed in deeds:
                await asyncio.sleep(calm_seconds)
                await deed(self)
            await asyncio.sleep(calm_seconds)
            await self._until(enough)
        return self.seen

    async def share(self, *, enough: Callable[[Seen], bool]) -> Seen:
        """Let those ask whose requests are long, one at a time, beside a crowd that asks little.

        They begin when every gateway knows that there is little left.
        """
        async with contextlib.AsyncExitStack() as stack:
            modest = [m for m in self.members.values() if not m.wordy]
            await stack.enter_async_context(self._crowd(modest, 4))
            await asyncio.gather(*map(self._knows_it_is_short, self.fleet.ports))
            for member in self.members.values():
                if member.wordy:
                    await stack.enter_async_context(self._crowd([member], 1))
            await self._until(enough)
        return self.seen

    async def _until(self, enough: Callable[[Seen], bool]) -> None:
        async with asyncio.timeout(ENOUGH_SECONDS):
            while not enough(self.seen):
                await asyncio.sleep(0.1)

    async def _knows_it_is_short(self, port: int) -> None:
        known = ""
        async with asyncio.timeout(KNOWN_SECONDS), aiohttp.ClientSession() as session:
            while known.count(f'window="five_hour"}} {SCARCE_PERCENT / 100}') < len(self.accounts):
                await asyncio.sleep(0.2)
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                        known = await answer.text()

    @contextlib.asynccontextmanager
    async def _crowd(self, members: Sequence[Member], clients: int) -> AsyncIterator[None]:
        """So many clients ask in this block."""
        crowd = Crowd(self.fleet.ports, members, seen=self.seen, seed=self.seed)
        over = asyncio.Event()
        asking = asyncio.ensure_future(crowd.ask(clients=clients, until=over))
        try:
            yield
        finally:
            over.set()
            await asking

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
            found["key"].setdefault(self.ids[member], Spent()).add(spent)
            found["model"].setdefault(model, Spent()).add(spent)
        for arrival in self.sim.turns:
            cost = seen.prompts.get(word_of(arrival.body))
            if cost is not None and arrival.ending == "whole":
                found["account"].setdefault(self.accounts[arrival.account], Spent()).add(cost)
        return found

    def dying(self) -> Spent:
        """What the last answers of killed gateways cost, which they may have had no time to count."""
        total = Spent()
        for port, at, cost in self.seen.provided:
            if any(
                port == killed and 0 <= then - at < DYING_SECONDS for killed, then in self.kills
            ):
                total.add(cost)
        return total

    def most_within(self, member: str, seconds: float, cost: Callable[[Spent], int]) -> int:
        """What somebody's requests that the backend got within so many seconds come to, at most."""
        begun: dict[str, float] = {}
        for turn in self._turns(member):
            begun.setdefault(word_of(turn.body), turn.at)
        costs = [(at, cost(self.seen.prompts.get(word, Spent()))) for word, at in begun.items()]
        costs.sort()
        return max(
            (
                sum(each for at, each in costs[first:] if at < costs[first][0] + seconds)
                for first in range(len(costs))
            ),
            default=0,
        )

    def at_once(self, member: str) -> int:
        """How many answers were under way in somebody's name at the same time, at most."""
        return _most_at_once(self._turns(member))

    def at_once_on(self, account: str) -> int:
        """How many answers an account gave at the same time, at most."""
        return _most_at_once([t for t in self.sim.turns if t.account == account])

    async def slots(self) -> list[float]:
        """Until when slots of accounts are held, and places in the queue for them."""
        held = await slots_in_use(self.redis)
        queue: Any = await self.redis.hvals(keyspace.queue())
        return [*held.values()] + [float(place.split()[1]) for place in queue]

    def _turns(self, member: str) -> list[ReceivedRequest]:
        return [t for t in self.sim.turns if word_of(t.body).startswith(f"{member}-")]


def _most_at_once(turns: Sequence[ReceivedRequest]) -> int:
    """What was left or cut was over for the gateway a little before the backend noticed."""
    steps = []
    for turn in turns:
        late = 0.0 if turn.ending in {"whole", "refused"} else LATE_SECONDS
        steps += [(turn.at, 1), (max(turn.at, turn.ended_at - late), -1)]
    most = now = 0
    for _, step in sorted(steps):
        now += step
        most = max(most, now)
    return most


def word_of(body: object) -> str:
    """The word that marks the prompt of a request, as the backend got it."""
    text = body["input"][-1]["content"][0]["text"] if isinstance(body, dict) else ""
    words = [word for word in text.split() if "-" in word and word[-1].isdigit()]
    return words[0] if words else ""


def drift(counted: Mapping[str, Counters | Spent], truth: Mapping[str, Spent]) -> dict[str, float]:
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
    seed: int = 1,
    **settings: str,
) -> AsyncIterator[Storm]:
    """Everything started: a Redis that keeps what it is told, a backend, gateways and keys."""
    async with contextlib.AsyncExitStack() as stack:
        server = servers or stack.enter_context(RedisServer("--appendonly", "yes"))
        logins = [SimulatedAccount(name=name, percent_per_request=0) for name in accounts]
        sim = await stack.enter_async_context(Simulator(accounts=logins))
        secret = Fernet.generate_key().decode()
        redis = connect_patiently(server.url) if servers is None else connect(server.url)
        stack.push_async_callback(redis.aclose)
        cipher = CredentialCipher([secret])
        keys = KeyStore(redis, cipher)
        store = AccountStore(redis, cipher)
        ids, members = {}, {}
        for who in team:
            key, key_secret = await keys.create(who.name, limits=who.limits, weight=who.weight)
            ids[who.name] = key.id
            members[who.name] = Member(who.name, key_secret, who.leaves, who.wordy)
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
            "LOG_SELECTIONS": "1",
            **settings,
        }
        fleet = await stack.enter_async_context(Fleet(gateways, environ=environ, folder=folder))
        yield Storm(sim, server, redis, fleet, keys, members, ids, known, logs=folder, seed=seed)
