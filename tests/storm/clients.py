"""The clients of a storm: each knows what it asked, what it got, and what that cost."""

import asyncio
import collections
import itertools
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import aiohttp
import msgspec
from storm.dialects import DIALECTS, Spent

SLOWLY = "[[fault:slow pace=0.01]]"
"""Lets the simulated model speak slowly."""
SHARE = 0.3
"""How many answers are slow, and how many of the slow ones are left by who leaves."""
MODELS = ("gpt-5.5", "gpt-6.1-sol")
"""One of each shape."""
WORDY = "word " * 16_000
"""A prompt that costs a good part of what a key may be ahead of the others."""
PAUSE_SECONDS = 0.05
"""Before a client that was refused asks again."""


@dataclass(frozen=True)
class Member:
    """Somebody with a key of their own."""

    name: str
    secret: str
    leaves: bool = False
    """Whether they go away in the middle of long answers."""
    wordy: bool = False
    """Whether all they ask is long."""


@dataclass
class Seen:
    """What the clients saw."""

    spent: dict[tuple[str, str], Spent] = field(
        default_factory=lambda: collections.defaultdict(Spent)
    )
    """By member and model."""
    statuses: collections.Counter[tuple[str, int]] = field(default_factory=collections.Counter)
    """Answers by member and status; -1 is a connection or a stream that broke."""
    prompts: dict[str, Spent] = field(default_factory=dict)
    """What each whole answer cost, by the word that marks its prompt."""
    provided: list[tuple[int, float, Spent]] = field(default_factory=list)
    """The gateways' ports that gave whole answers, when, and what they cost."""
    left: int = 0
    """Answers whose client went away."""
    numbers: Iterator[int] = field(default_factory=itertools.count)
    """Make the words unique."""

    def of(self, member: str) -> Spent:
        """What somebody's whole answers cost."""
        total = Spent()
        for (name, _), spent in self.spent.items():
            if name == member:
                total.add(spent)
        return total


class Crowd:
    """Clients that ask, at random, whichever gateway they find, in either dialect."""

    def __init__(
        self, ports: Sequence[int], members: Sequence[Member], *, seen: Seen, seed: int
    ) -> None:
        self._ports = ports
        self._members = members
        self._random = random.Random(seed)
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        self._seen = seen

    async def ask(self, *, clients: int, until: asyncio.Event) -> None:
        """Go on asking, so many at a time, until somebody says it is enough."""
        async with self._session:
            await asyncio.gather(*(self._client(until) for _ in range(clients)))

    async def _client(self, until: asyncio.Event) -> None:
        while not until.is_set():
            member = self._random.choice(self._members)
            try:
                async with asyncio.timeout(60):
                    status = await self._once(member)
            except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError):
                status = -1
            self._seen.statuses[member.name, status] += 1
            if status != 200:
                await asyncio.sleep(PAUSE_SECONDS)

    async def _once(self, member: Member) -> int:
        word = f"{member.name}-{next(self._seen.numbers)}"
        model, dialect = self._random.choice(MODELS), self._random.choice(DIALECTS)
        leaves = member.leaves and self._random.random() < SHARE
        streamed = leaves or self._random.random() < 0.5
        slowly = leaves or self._random.random() < SHARE
        prompt = f"{SLOWLY} {word} write 40 words" if slowly else f"say {word}"
        if member.wordy:
            prompt = f"{word} write 5 words {WORDY}"
        port = self._random.choice(self._ports)
        url = f"http://127.0.0.1:{port}{dialect.path}"
        headers = {"authorization": f"Bearer {member.secret}"}
        body = dialect.body(model, prompt, streamed)
        async with self._session.post(url, json=body, headers=headers) as answer:
            if answer.status != 200:
                await answer.read()
                return answer.status
            if leaves:
                await answer.content.readline()
                self._seen.left += 1
                answer.close()
                return 200
            cost = dialect.cost(await answer.read(), streamed)
        if cost is None:
            return -1
        self._seen.provided.append((port, time.monotonic(), cost))
        self._seen.prompts[word] = cost
        self._seen.spent[member.name, model].add(cost)
        return 200
