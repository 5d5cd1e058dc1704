"""What the two clients of our own save, beside the libraries they stand in for.

`python -m bench.layers` prints CPU time for each request, event or call, the least of five runs;
decisions 0013 and 0014 quote it. Asserts nothing.
"""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import uvloop
from bench.__main__ import SHAPES, Shape
from bench.targets import running
from support.free_ports import free_port
from support.redis_server import RedisServer

from codex_proapi.commons.redis.clients import connect
from codex_proapi.commons.redis.multiplexed import connect_multiplexed
from codex_proapi.gateway.upstream.connection_pool import HttpClient

RUNS = 5
CALLS = 5000
SCRIPT = "redis.call('INCR', KEYS[1]) return {1, 2, 'three', redis.call('GET', KEYS[1])}"

Post = Callable[[bytes], Awaitable[int]]
Call = Callable[..., Awaitable[object]]


@contextlib.asynccontextmanager
async def _own(url: str) -> AsyncIterator[Post]:
    client = HttpClient(url)

    async def post(body: bytes) -> int:
        answer = await client.post({"content-type": "application/json"}, body)
        reads = 0
        while await answer.read():
            reads += 1
        return reads

    yield post
    client.close()


@contextlib.asynccontextmanager
async def _aiohttp(url: str) -> AsyncIterator[Post]:
    connector = aiohttp.TCPConnector(limit=0)
    headers = {"content-type": "application/json"}
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:

        async def post(body: bytes) -> int:
            reads = 0
            async with session.post(url, data=body, headers=headers) as answer:
                while await answer.content.readany():
                    reads += 1
            return reads

        yield post


async def _posts(post: Post, shape: Shape) -> float:
    """CPU seconds of one run."""
    body = json.dumps({"input": f"Hello {shape.marker}"}).encode()
    left = shape.requests

    async def work() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await post(body)

    before = time.process_time()
    await asyncio.gather(*(work() for _ in range(shape.at_once)))
    return time.process_time() - before


async def _calls(call: Call, digest: str, *, at_once: int) -> float:
    left = CALLS

    async def work() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await call("EVALSHA", digest, 1, "{bench}:counter")

    before = time.process_time()
    await asyncio.gather(*(work() for _ in range(at_once)))
    return time.process_time() - before


async def _upstream(url: str) -> None:
    for shape in SHAPES[1:]:
        per_event = shape.name != "tiny"
        units = shape.requests * (shape.marker.deltas if per_event else 1)
        for name, made in (("own", _own), ("aiohttp", _aiohttp)):
            async with made(url) as post:
                await post(json.dumps({"input": f"{shape.marker}"}).encode())
                least = min([await _posts(post, shape) for _ in range(RUNS)])
            unit = "event" if per_event else "request"
            print(f"upstream, {shape.name:6} {name:8} {least / units * 1e6:7.1f} µs a {unit}")


async def _redis(url: str) -> None:
    line, client = connect_multiplexed(url), connect(url)
    assert line is not None
    digest = str(await client.script_load(SCRIPT))
    for at_once in (1, 64):
        for name, call in (("own", line.call), ("redis-py", client.execute_command)):
            least = min([await _calls(call, digest, at_once=at_once) for _ in range(RUNS)])
            print(f"Redis, {at_once:2} at once {name:8} {least / CALLS * 1e6:7.1f} µs a call")
    await line.aclose()
    await client.aclose()


def main() -> None:
    """Measure everything."""
    port = free_port()
    with running([sys.executable, "-m", "bench.upstream", str(port)], port):
        uvloop.run(_upstream(f"http://127.0.0.1:{port}/backend-api/codex/responses"))
    with RedisServer() as server:
        uvloop.run(_redis(server.url))


if __name__ == "__main__":
    main()
