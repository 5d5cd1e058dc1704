"""A console with data, and a client that reads its pages without a browser."""

import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
from support.clock import Clock
from support.console_scene import FERNET, Scene
from support.consoles import Browser, console_settings, running

from codex_proapi.console.app import Console

NOW = 1_790_000_000.0


@contextlib.asynccontextmanager
async def filled_console(
    redis_url: str, *, empty: bool = False, **provided: Any
) -> AsyncIterator["PageClient"]:
    """A console with a scene, and a client that reads its pages."""
    settings = console_settings(redis_url, **{"encryption_keys": (FERNET,), **provided})
    async with running(settings, clock=Clock(NOW)) as console:
        scene = Scene(console.redis, now=NOW)
        if not empty:
            await scene.fill()
        async with Browser(console, accept="text/html") as browser:
            yield PageClient(console, scene, browser)


class PageClient:
    """Reads the pages of one console."""

    def __init__(self, console: Console, scene: Scene, browser: Browser) -> None:
        self.console, self.scene, self.browser = console, scene, browser

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """Ask for a page."""
        return await self.browser.get(path, headers=headers)

    async def read(self, path: str, **headers: str) -> str:
        """A page's words, without its markup."""
        answer = await self.get(path, **headers)
        assert answer.status_code == httpx.codes.OK, answer.text[:200]
        return words_of(answer.text)


def words_of(html: str) -> str:
    """The text a page shows, in one line."""
    bare = re.sub(r"<(title|script|style)\b.*?</\1>|<[^>]*>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", bare).strip()
