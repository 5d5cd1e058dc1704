"""Clients of the live checks: streams that are counted to their last event, and short requests."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import aiohttp
from bench.marker import Marker


@dataclass
class Stream:
    """What one streamed answer was."""

    expected: int
    status: int = 0
    deltas: int = 0
    whole: bool = False
    trouble: str = ""
    request_id: str = ""
    began: float = 0.0

    @property
    def unbroken(self) -> bool:
        """Every word, and the end."""
        return self.status == 200 and self.whole and self.deltas == self.expected


@dataclass(frozen=True)
class Short:
    """What one answer that does not stream was."""

    began: float
    status: int
    """0 where there was none."""


def body(marker: Marker, *, stream: bool = True, number: int = 0) -> dict[str, Any]:
    """A chat request whose answer the fast upstream shapes by the marker."""
    text = f"Conversation {number}. {marker}"
    return {"model": "gpt-5.5", "stream": stream, "messages": [{"role": "user", "content": text}]}


async def stream(
    session: aiohttp.ClientSession, url: str, marker: Marker, *, number: int = 0
) -> Stream:
    """Read one streamed answer to its end, whatever happens."""
    seen = Stream(expected=marker.deltas, began=time.monotonic())
    try:
        async with session.post(
            f"{url}/v1/chat/completions", json=body(marker, number=number)
        ) as answer:
            seen.status = answer.status
            seen.request_id = answer.headers.get("x-request-id", "")
            if answer.status != 200:
                seen.trouble = (await answer.text())[:300]
                return seen
            async for line in answer.content:
                if not line.startswith(b"data: "):
                    continue
                if line.startswith(b"data: [DONE]"):
                    seen.whole = True
                elif b'"error"' in line:
                    seen.trouble = line.decode()[:300]
                elif b"tok@" in line:
                    seen.deltas += 1
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        seen.trouble = f"{type(error).__name__}: {error}"
    return seen


class Crowd:
    """So many clients, each with one stream after another until told to stop."""

    def __init__(self, url: str, *, streams: int, marker: Marker) -> None:
        self._url, self._streams, self._marker = url, streams, marker
        self.finished: list[Stream] = []
        self.short: list[Short] = []
        self.troubles: list[str] = []
        self._stop = asyncio.Event()

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Live until `leave` is called and every stream has ended."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._short_requests(session))
            for number in range(self._streams):
                group.create_task(self._client(session, number))

    def leave(self) -> None:
        """Begin no more."""
        self._stop.set()

    @property
    def broken(self) -> list[Stream]:
        """Streams that lost a word."""
        return [one for one in self.finished if not one.unbroken]

    def failed(self, *, since: float = 0.0) -> list[int]:
        """Statuses other than 200 of short requests that began since then."""
        return [one.status for one in self.short if one.began >= since and one.status != 200]

    async def _client(self, session: aiohttp.ClientSession, number: int) -> None:
        await asyncio.sleep(number * 2 / self._streams)
        while not self._stop.is_set():
            seen = await stream(session, self._url, self._marker, number=number)
            self.finished.append(seen)
            if not seen.unbroken:
                await asyncio.sleep(0.5)

    async def _short_requests(self, session: aiohttp.ClientSession) -> None:
        """Twenty answers a second that do not stream, beside the streams."""
        number = 0
        async with asyncio.TaskGroup() as group:
            while not self._stop.is_set():
                number += 1
                group.create_task(self._short(session, number))
                await asyncio.sleep(0.05)

    async def _short(self, session: aiohttp.ClientSession, number: int) -> None:
        asked = body(Marker(3, 5, 1), stream=False, number=100_000 + number)
        began = time.monotonic()
        try:
            async with session.post(f"{self._url}/v1/chat/completions", json=asked) as answer:
                text = await answer.text()
                self.short.append(Short(began, answer.status))
                if answer.status != 200 or "choices" not in json.loads(text):
                    self.troubles.append(text[:300])
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            self.short.append(Short(began, 0))
            self.troubles.append(f"{type(error).__name__}: {error}")


@contextlib.asynccontextmanager
async def crowded(
    url: str, *, streams: int, marker: Marker, headers: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[Crowd]:
    """A crowd asks at this URL in the block; the block ends with its last stream."""
    crowd = Crowd(url, streams=streams, marker=marker)
    async with session() as client:
        client.headers.update(headers)
        living = asyncio.ensure_future(crowd.run(client))
        try:
            yield crowd
        finally:
            crowd.leave()
            await living


def session() -> aiohttp.ClientSession:
    """A client without limits of its own. Each request has a connection that may be used again."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=300)
    )
