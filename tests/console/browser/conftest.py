"""A browser and a console with data for every page test."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser
from support.browsers import Tab, chromium, tab
from support.served import Served, served


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A Chromium."""
    async with chromium() as started:
        yield started


@pytest.fixture
async def site(redis_url: str) -> AsyncIterator[Served]:
    """A console with data on loopback."""
    async with served(redis_url) as started:
        yield started


@pytest.fixture
async def visitor(browser: Browser, site: Served) -> AsyncIterator[Tab]:
    """A desktop tab on the console with data; at the end nothing may have gone wrong in it."""
    async with tab(browser, site.base) as opened:
        yield opened
        assert opened.problems == []
