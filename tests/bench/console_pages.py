"""`python -m bench.console_pages`: what each page and list of the console costs with much in the store.

Prints CPU of the server, the longest time its loop stood still, bytes as sent (gzip) and before, and
round trips to Redis, for 300 accounts, 1,000 keys, a year of usage and 100,000 log entries.
`--part 0.1` fills a tenth. Asserts nothing.
"""

import argparse
import asyncio
import contextlib
import gzip
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from redis.asyncio import connection
from support.console_scene import FERNET
from support.consoles import console_settings, running
from support.large_scene import LargeScene
from support.redis_clients import patient
from support.redis_server import RedisServer

from codex_proapi.console.app import Console

ROUNDS = 5
PAGES = (
    *("/", "/accounts", "/accounts?page=3", "/accounts?q=ops", "/catalogue", "/keys"),
    *("/keys?sort=tokens&page=7", "/keys?q=agent", "/usage", "/usage?by=account&range=30d"),
    *("/usage?since={year}", "/connect", "/logs", "/alerts", "/settings"),
)
LISTS = (
    *("/api/accounts", "/api/keys", "/api/models", "/api/dashboard", "/api/settings", "/api/audit"),
    *("/api/usage", "/api/usage?by=account", "/api/usage?by=model", "/api/series?span=7d"),
    *("/api/logs", "/api/logs?limit=60&q=overloaded", "/api/logs?limit=60&q=nothingatall"),
    *("/api/prices", "/api/alerts", "/api/replicas"),
)


class Seen:
    """One answer as it was sent."""

    def __init__(self) -> None:
        self.status, self.sent, self.body = 0, 0, bytearray()
        self.coding = ""

    @property
    def plain(self) -> int:
        """Its bytes before compression."""
        return len(gzip.decompress(self.body)) if self.coding == "gzip" else len(self.body)


async def ask(console: Console, path: str, **headers: str) -> Seen:
    """Ask a console as its server does, without a socket."""
    path, _, query = path.partition("?")
    seen = Seen()
    pairs = {"host": "localhost:1455", "accept-encoding": "gzip", "accept": "text/html", **headers}
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in pairs.items()],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 1455),
        "state": {},
    }
    asked, answered = [False], asyncio.Event()

    async def receive() -> dict[str, Any]:
        if not asked[0]:
            asked[0] = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await answered.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            seen.status = message["status"]
            told = {name.decode(): value.decode() for name, value in message["headers"]}
            seen.coding = told.get("content-encoding", "")
        else:
            seen.body += message.get("body", b"")
            if not message.get("more_body"):
                answered.set()

    await console.asgi(scope, receive, send)  # type: ignore[arg-type]
    return seen


@contextlib.contextmanager
def round_trips() -> Iterator[list[int]]:
    """Counts what is sent to Redis: one for each command or pipeline."""
    counted = [0]
    plain = connection.AbstractConnection.send_packed_command

    async def send(self: Any, *args: Any, **kwargs: Any) -> None:
        counted[0] += 1
        await plain(self, *args, **kwargs)

    connection.AbstractConnection.send_packed_command = send  # type: ignore[method-assign]
    try:
        yield counted
    finally:
        connection.AbstractConnection.send_packed_command = plain  # type: ignore[method-assign]


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
