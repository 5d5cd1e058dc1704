"""Owners of accounts for tests: invited by the administrator, in with a browser of their own."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import httpx
from support.clock import Clock
from support.consoles import HERE, Browser, guarded, running

from codex_proapi.console.app import Console
from codex_proapi.console.owners.consent import CURRENT
from codex_proapi.simulator import Simulator

AGREED = {"consent": CURRENT}
"""What an owner sends along who agrees."""


class OwnerBrowser(Browser):
    """The browser of somebody who may become an owner; its cookies are its own."""

    def __init__(self, console: Console, *, base: str = HERE, peer: str = "203.0.113.7") -> None:
        super().__init__(console, base=base, peer=peer)

    async def enter(self, token: str) -> httpx.Response:
        """Open an invitation, as the page does whose button is pressed."""
        await self.learn()
        answer = await self.post("/api/owner/session", json={"token": token})
        if answer.is_success:
            self.headers["x-csrf-token"] = answer.json()["csrf_token"]
        return answer

    async def own(self) -> list[dict[str, Any]]:
        """The accounts that this owner sees."""
        found: list[dict[str, Any]] = (await self.get("/api/owner/accounts")).json()["accounts"]
        return found


async def add_owner(administrator: Browser, name: str = "Ada") -> str:
    """Add an owner; gives the id."""
    answer = await administrator.post("/api/owners", json={"name": name})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def invite(administrator: Browser, owner_id: str) -> str:
    """Make an invitation; gives its token."""
    answer = await administrator.post(f"/api/owners/{owner_id}/invitation")
    assert answer.status_code == 201, answer.text
    return token_in(answer.json()["link"])


def token_in(link: str) -> str:
    """The token of an invitation's link."""
    return parse_qs(urlsplit(link).query)["link"][0]


class OwnerScene(NamedTuple):
    """Two consoles with one Redis and OpenAI; an administrator and two owners at the first."""

    sim: Simulator
    first: Console
    second: Console
    administrator: Browser
    ada: OwnerBrowser
    ada_id: str
    ben: OwnerBrowser
    clock: Clock


@contextlib.asynccontextmanager
async def owner_scene(redis_url: str) -> AsyncIterator[OwnerScene]:
    """One whose owners have come in by their invitations, and have no account yet."""
    clock = Clock()
    async with Simulator(clock=clock) as sim:
        settings = guarded(redis_url, codex_auth_url=sim.auth_url, codex_base_url=sim.base_url)
        async with (
            running(settings, clock=clock) as first,
            running(settings, clock=clock) as second,
            Browser(first) as administrator,
            OwnerBrowser(first) as ada,
            OwnerBrowser(first) as ben,
        ):
            await administrator.sign_in()
            ids = [await add_owner(administrator, name) for name in ("Ada", "Ben")]
            await ada.enter(await invite(administrator, ids[0]))
            await ben.enter(await invite(administrator, ids[1]))
            yield OwnerScene(sim, first, second, administrator, ada, ids[0], ben, clock)


async def sign_in_account(owner: OwnerBrowser, sim: Simulator, login: str = "ada") -> str:
    """Sign an account in with a pasted address; gives its id."""
    begun = await owner.post("/api/owner/logins", json={"way": "pasted", **AGREED})
    back = sim.authorize(begun.json()["authorize_url"], login)
    answer = await owner.post("/api/owner/logins/callback", json={"url": back})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])
