"""Calls of the backend for an account's saved resets, and for its quota afterwards."""

from typing import Any, Final

import httpx

from codex_proapi.commons.accounts.kinds import kind_of
from codex_proapi.commons.accounts.model import Account, Credential
from codex_proapi.commons.accounts.refresher import CredentialRefresher
from codex_proapi.commons.codex.endpoints import redeem_url, saved_resets_url, usage_url
from codex_proapi.commons.codex.identity import Identity
from codex_proapi.commons.codex.quota_parser import Quota, quota_of_usage
from codex_proapi.commons.codex.reset_credits import (
    Redeemed,
    RedeemOutcome,
    SavedResets,
    read_redeemed,
    read_saved_resets,
)
from codex_proapi.console.errors import Code, UpstreamAway

SECONDS: Final = 20.0
"""Time-out of one call."""


class ResetCalls:
    """Asks the backend for one account at a time, on behalf of a person.

    Args:
        http: Client of the way to the backend.
        refresher: Credentials of accounts.
        base_url: CODEX_BASE_URL.
        identity: How this product names itself.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        refresher: CredentialRefresher,
        *,
        base_url: str,
        identity: Identity,
    ) -> None:
        self._http = http
        self._refresher = refresher
        self._base_url = base_url
        self._identity = identity

    def __repr__(self) -> str:
        return f"<ResetCalls to {self._base_url}>"

    async def saved_resets(self, account: Account, *, now: float) -> SavedResets:
        """The account's resets.

        Raises:
            UpstreamAway: the backend cannot be reached, refuses, or answers what cannot be read.
            CredentialUnavailable: the account has no credential that works.
        """
        try:
            answer = await self._ask("GET", saved_resets_url(self._base_url), account)
        except httpx.HTTPError:
            raise UpstreamAway from None
        read = read_saved_resets(answer.content, now=now) if answer.is_success else None
        if read is None:
            raise UpstreamAway(Code.RESETS_UNREADABLE)
        return read

    async def redeem(self, account: Account, *, reset_id: str, request_id: str) -> Redeemed:
        """Ask once to redeem a reset. Raises CredentialUnavailable before anything is sent."""
        body = {"credit_id": reset_id, "redeem_request_id": request_id}
        try:
            answer = await self._ask("POST", redeem_url(self._base_url), account, json=body)
        except httpx.HTTPError as error:
            return Redeemed(outcome=RedeemOutcome.UNSURE, code=type(error).__name__)
        return read_redeemed(answer.status_code, answer.content)

    async def quota(self, account: Account) -> Quota | None:
        """The account's quota now; None if it cannot be read."""
        try:
            answer = await self._ask("GET", usage_url(self._base_url), account)
        except httpx.HTTPError:
            return None
        return quota_of_usage(answer.content) if answer.is_success else None

    async def _ask(self, method: str, url: str, account: Account, **more: Any) -> httpx.Response:
        credential = await self._refresher.fresh(account.id)
        answer = await self._send(method, url, account, credential, **more)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            credential = await self._refresher.fresh(account.id, rejected=credential)
            answer = await self._send(method, url, account, credential, **more)
        return answer

    async def _send(
        self, method: str, url: str, account: Account, credential: Credential, **more: Any
    ) -> httpx.Response:
        headers = kind_of(account).headers(self._identity, account, credential)
        return await self._http.request(method, url, headers=headers, timeout=SECONDS, **more)
