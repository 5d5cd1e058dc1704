"""A browser and a console with data for every page test.

All tests of this folder run in one event loop, that of the session, because the browser belongs to
it: starting a Chromium costs more than most tests. Each test has a context of its own, which shares
neither cookies nor cache nor storage with another. Fixtures of these tests say `loop_scope="session"`.
"""

import pathlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from pytest_asyncio import is_async_test
from support.browsers import Tab, chromium, tab
from support.served import Served, served

HERE = pathlib.Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests of this folder run in the loop of their browser."""
    for item in items:
        if HERE in item.path.parents and is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A Chromium, one for each test process."""
    async with chromium() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def site(redis_url: str) -> AsyncIterator[Served]:
    """A console with data on loopback."""
    async with served(redis_url) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(browser: Browser, site: Served) -> AsyncIterator[Tab]:
    """A desktop tab on the console with data; at the end nothing may have gone wrong in it."""
    async with tab(browser, site.base) as opened:
        yield opened
        assert opened.problems == []
