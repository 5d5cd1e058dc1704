"""Owners of accounts for tests: invited by the administrator, in with a browser of their own."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from support.consoles import HERE, Browser

from codex_proapi.console.app import Console
from codex_proapi.console.owners.consent import CURRENT

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
