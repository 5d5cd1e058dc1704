"""`python -m bench.console_pages`: what each page and list of the console costs with much in the store.

Prints CPU of the server, the longest time its loop stood still, bytes as sent (gzip) and before, and
round trips to Redis, for 300 accounts, 1,000 keys, a year of usage and 100,000 log entries.
`--part 0.1` fills a tenth. Asserts nothing.
"""

import argparse
import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

from support.console_scene import FERNET
from support.consoles import console_settings, running
from support.large_scene import LargeScene
from support.plain_requests import ask, round_trips
from support.redis_clients import patient
from support.redis_server import RedisServer

from codex_proapi.commons.http.server import freeze_heap
from codex_proapi.console.app import Console

ROUNDS = 3
PAGES = (
    *("/", "/accounts", "/accounts?page=3", "/accounts?q=ops", "/catalogue", "/keys"),
    *("/keys?sort=tokens&page=7", "/keys?q=agent", "/usage", "/usage?by=account&range=30d"),
    *("/usage?since={year}", "/connect", "/logs", "/alerts", "/settings"),
)
LISTS = (
    *("/api/accounts", "/api/keys", "/api/models", "/api/dashboard", "/api/settings", "/api/audit"),
    *("/api/usage", "/api/usage?by=account", "/api/usage?by=model", "/api/series?span=7d"),
    *("/api/usage?format=csv", "/api/usage?format=csv&since={year}", "/api/usage?since={year}"),
    *("/api/logs", "/api/logs?limit=60&q=overloaded", "/api/logs?limit=60&q=nothingatall"),
    *("/api/prices", "/api/alerts", "/api/replicas"),
)


@contextlib.asynccontextmanager
async def stalls() -> AsyncIterator[list[float]]:
    """The longest CPU time between two turns of the loop, in seconds."""
    longest = [0.0]

    async def watch() -> None:
        before = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            longest[0], before = max(longest[0], now - before), now

    task = asyncio.ensure_future(watch())
    await asyncio.sleep(0)
    try:
        yield longest
    finally:
        await asyncio.sleep(0)  # what ran last counts, too
        task.cancel()


async def measure(console: Console, path: str) -> None:
    """One line of the table."""
    await ask(console, path)
    with round_trips() as trips:
        seen = await ask(console, path)
    costs = []
    for _ in range(ROUNDS):
        before = time.thread_time()
        await ask(console, path)
        costs.append(time.thread_time() - before)
    async with stalls() as longest:
        await ask(console, path)
    print(
        f"{path:44}{seen.status:4}{1000 * min(costs):9.1f}{1000 * longest[0]:9.1f}"
        f"{len(seen.body) / 1000:9.1f}{seen.plain / 1000:10.1f}{trips[0]:7}",
        flush=True,
    )


async def run(url: str, part: float) -> None:
    """Fill a store and print the table."""
    freeze_heap()  # as a server does once it has started
    settings = console_settings(patient(url), encryption_keys=(FERNET,))
    async with running(settings, clock=time.time) as console:
        if part:
            sizes = {"accounts": 300, "keys": 1000, "days": 365, "entries": 100_000}
            scaled: dict[str, Any] = {
                name: max(6, int(value * part)) for name, value in sizes.items()
            }
            begun = time.monotonic()
            await LargeScene(console.redis, now=time.time(), **scaled).fill()
            about = await console.redis.info("memory")
            print(f"{scaled}: filled in {time.monotonic() - begun:.0f} s,", end=" ")
            print(f"Redis uses {about['used_memory'] / 2**20:.0f} MiB\n")
        now = time.time()
        heads = ("status", "CPU ms", "stall ms", "sent kB", "plain kB", "trips")
        print(
            f"{'':42}{heads[0]:>6}{heads[1]:>9}{heads[2]:>9}{heads[3]:>9}{heads[4]:>10}{heads[5]:>7}"
        )
        year = time.strftime("%Y-%m-%d", time.gmtime(now - 364 * 86_400))
        for path in (*PAGES, *LISTS):
            await measure(console, path.format(year=year))


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(prog="python -m bench.console_pages", description=__doc__)
    parser.add_argument("--part", type=float, default=1.0, help="how much of it is filled")
    parser.add_argument("--redis", help="a server, instead of one of its own; part 0: as it is")
    asked = parser.parse_args()
    if asked.redis:
        asyncio.run(run(asked.redis, asked.part))
        return
    with RedisServer() as server:
        asyncio.run(run(server.url, asked.part))


if __name__ == "__main__":
    main()
