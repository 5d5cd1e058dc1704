"""Two consoles with one Redis and OpenAI, and the steps of a login."""

from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
from support.clock import Clock
from support.consoles import Browser

from codex_proapi.console.app import Console
from codex_proapi.simulator import Simulator


class Scene(NamedTuple):
    """Two consoles with one Redis, an administrator's browser at each, and OpenAI."""

    sim: Simulator
    first: Console
    second: Console
    here: Browser
    there: Browser
    clock: Clock


async def accounts(browser: Browser) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await browser.get("/api/accounts")).json()["accounts"]
    return found


def path_of(url: str) -> str:
    """What a browser asks the console for when it is sent to this address."""
    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}" == "http://localhost:1455"
    return f"{parts.path}?{parts.query}"


async def leave(browser: Browser, **params: str) -> str:
    answer = await browser.get("/auth/login", params=params)
    assert answer.status_code == 302
    return str(answer.headers["location"])


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]
