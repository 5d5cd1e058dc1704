"""Pages and lists stay small where there is much in the store."""

import re
import time
from collections.abc import AsyncIterator

import pytest_asyncio
from support.clock import Clock
from support.console_scene import FERNET
from support.consoles import console_settings, running
from support.large_scene import LargeScene
from support.plain_requests import ask, round_trips
from support.redis_clients import patient

from codex_proapi.console.app import Console

WIRE_BYTES = 150_000
"""Most bytes of a page with all it loads."""
PAGES = (
    *("/", "/accounts", "/accounts?page=2", "/catalogue", "/keys", "/keys?sort=tokens&page=3"),
    *(
        "/usage",
        "/usage?by=account&range=30d",
        "/connect",
        "/logs",
        "/alerts",
        "/owners",
        "/settings",
    ),
    "/what-if",
)
LISTS = ("/api/accounts", "/api/keys", "/api/models", "/api/dashboard", "/api/logs")
MOST_TRIPS = 45
"""Round trips to Redis of one page; none of them for each account or key."""


@pytest_asyncio.fixture
async def console(redis_url: str) -> AsyncIterator[Console]:
    """A console with more accounts and keys than a page shows."""
    settings = console_settings(patient(redis_url), encryption_keys=(FERNET,))
    clock = Clock(time.time())
    async with running(settings, clock=clock) as console:
        scene = LargeScene(console.redis, now=clock(), accounts=120, keys=150, days=3, entries=600)
        await scene.fill()
        yield console


async def test_every_page_and_list_is_small_and_asks_redis_seldom(console: Console) -> None:
    assets: dict[str, int] = {}
    large: dict[str, int] = {}
    frequent: dict[str, int] = {}
    for path in (*PAGES, *LISTS):
        await ask(console, path)
        with round_trips() as trips:
            seen = await ask(console, path)
        assert seen.status == 200, path
        sent = len(seen.body)
        for name in set(re.findall(r'(?:href|src)="(/(?:static|texts)/[^"]+)"', seen.text)):
            if name not in assets:
                assets[name] = len((await ask(console, name)).body)
            sent += assets[name]
        if sent > WIRE_BYTES:
            large[path] = sent
        if trips[0] > MOST_TRIPS:
            frequent[path] = trips[0]

    assert large == {}
    assert frequent == {}


async def test_a_refresh_of_a_long_list_is_small(console: Console) -> None:
    for path in PAGES:
        page = await ask(console, path)
        shown = re.findall(r'<meta name="live" content="([^"]+)">', page.text)
        first = await ask(console, path, **{"x-live": shown[0] if shown else "1"})

        assert (path, first.status, first.text) == (path, 204, "")

    first = await ask(console, "/logs", **{"x-live": "1"})
    assert len(first.body) < 2_000
