"""The composition root: started once, closed cleanly, and patient with an absent Redis."""

import asyncio

import pytest
from support.clock import Clock
from support.consoles import PASSWORD, Browser, console_settings, guarded, running, script
from support.redis_server import RedisServer

from codex_proapi.console.app import build


async def test_starting_twice_is_starting_once(redis_url: str) -> None:
    lines: list[str] = []
    async with running(guarded(redis_url), announce=lines.append) as console:
        await console.start()

    assert len(lines) == 1
    assert repr(console).startswith("<Console ")


@pytest.mark.parametrize(("password", "told"), [("changeme12345", 1), (PASSWORD, 0)])
async def test_a_first_password_that_is_tried_first_is_told_once(
    redis_url: str, password: str, told: int
) -> None:
    lines: list[str] = []
    for _ in range(2):  # the second start finds one that is stored
        settings = console_settings(redis_url, admin_password=password)
        async with running(settings, announce=lines.append):
            pass

    assert [line.split()[0] for line in lines].count("ADMIN_PASSWORD") == told
    assert password not in str(lines)


async def test_a_console_that_was_never_started_closes_too(redis_url: str) -> None:
    await build(guarded(redis_url)).close()


async def test_a_console_whose_redis_comes_late_lets_nobody_in_before_its_password() -> None:
    server = RedisServer()
    async with running(guarded(server.url), clock=Clock()) as console, script(console) as api:
        assert (await api.get("/readyz")).status_code == 503
        assert (await api.get("/api/keys")).status_code == 503
        with server:
            async with asyncio.timeout(60):
                while (await api.get("/readyz")).status_code != 200:
                    await asyncio.sleep(0.05)
            assert (await api.get("/api/keys")).status_code == 401
            async with Browser(console) as browser, asyncio.timeout(60):
                while (await browser.sign_in(PASSWORD)).status_code != 201:
                    await asyncio.sleep(0.2)
            await console.close()


@pytest.mark.parametrize("path", ["/", "/accounts", "/keys", "/logs", "/settings", "/connect"])
async def test_the_pages_are_there(redis_url: str, path: str) -> None:
    async with running(guarded(redis_url)) as console, Browser(console) as browser:
        await browser.sign_in()
        answer = await browser.get(path, headers={"accept": "text/html"})

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
