"""The clients of a storm: each knows what it asked, what it got, and what that cost."""

import asyncio
import collections
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec

SLOWLY = "[[fault:slow pace=0.01]]"
"""Lets the simulated model speak slowly."""
SHARE = 0.3
"""How many answers are slow, and how many of the slow ones are left by who leaves."""
MODELS = ("gpt-5.5", "gpt-6.1-sol")
"""One of each shape."""
PAUSE_SECONDS = 0.05
"""Before a client that was refused asks again."""


@dataclass(frozen=True)
class Member:
    """Somebody with a key of their own."""

    name: str
    secret: str
    leaves: bool = False
    """Whether they go away in the middle of long answers."""


@dataclass
class Spent:
    """What whole answers cost."""

    answers: int = 0
    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0


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
    left: int = 0
    """Answers whose client went away."""


class Crowd:
    """Clients that ask, at random, whichever gateway they find."""

    def __init__(self, ports: Sequence[int], members: Sequence[Member], *, seed: int = 1) -> None:
        self._ports = ports
        self._members = members
        self._random = random.Random(seed)
        self._numbers = itertools.count()
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        self.seen = Seen()

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
            except (aiohttp.ClientError, TimeoutError, OSError):
                status = -1
            self.seen.statuses[member.name, status] += 1
            if status != 200:
                await asyncio.sleep(PAUSE_SECONDS)

    async def _once(self, member: Member) -> int:
        word = f"{member.name}-{next(self._numbers)}"
        model = self._random.choice(MODELS)
        leaves = member.leaves and self._random.random() < SHARE
        streamed = leaves or self._random.random() < 0.5
        slowly = leaves or self._random.random() < SHARE
        prompt = f"{SLOWLY} {word} write 40 words" if slowly else f"say {word}"
        body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": prompt}]}
        if streamed:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        url = f"http://127.0.0.1:{self._random.choice(self._ports)}/v1/chat/completions"
        headers = {"authorization": f"Bearer {member.secret}"}
        async with self._session.post(url, json=body, headers=headers) as answer:
            if answer.status != 200:
                await answer.read()
                return answer.status
            if leaves:
                await answer.content.readline()
                self.seen.left += 1
                answer.close()
                return 200
            usage = _usage(await answer.read(), streamed=streamed)
        if usage is None:
            return -1
        self._note(member.name, model, word, usage)
        return 200

    def _note(self, member: str, model: str, word: str, usage: dict[str, Any]) -> None:
        cost = Spent(
            answers=1,
            input=usage["prompt_tokens"],
            cached=(usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0),
            output=usage["completion_tokens"],
            reasoning=(usage.get("completion_tokens_details") or {}).get("reasoning_tokens", 0),
        )
        self.seen.prompts[word] = cost
        add(self.seen.spent[member, model], cost)


def add(total: Spent, cost: Spent) -> None:
    """Take a cost into a sum."""
    for name in Spent.__dataclass_fields__:
        setattr(total, name, getattr(total, name) + getattr(cost, name))


def _usage(body: bytes, *, streamed: bool) -> dict[str, Any] | None:
    """The usage of a whole answer; None for one that is not whole."""
    if not streamed:
        found = msgspec.json.decode(body).get("usage")
        return found if isinstance(found, dict) else None
    if not body.rstrip().endswith(b"data: [DONE]"):
        return None
    chunks = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: {")]
    found = msgspec.json.decode(chunks[-1]).get("usage")
    return found if isinstance(found, dict) else None
