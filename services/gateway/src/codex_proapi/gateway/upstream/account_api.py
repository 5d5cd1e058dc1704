"""Calls to the backend outside of exchanges: an account's models and its quota.

A failed call is logged, and not counted against the account; the caller retries later.
"""

from collections.abc import Mapping
from typing import Final

import httpx
import msgspec
import structlog

from codex_proapi.commons.accounts.kinds import kind_of
from codex_proapi.commons.accounts.model import Account, Credential
from codex_proapi.commons.accounts.refresher import CredentialRefresher
from codex_proapi.commons.accounts.view import AccountView
from codex_proapi.commons.codex.endpoints import models_url, usage_url
from codex_proapi.commons.codex.identity import Identity
from codex_proapi.commons.codex.luna_reserve import RESERVE_HEADER
from codex_proapi.commons.runtime.errors import CredentialUnavailable

NO_HEADERS: Final[Mapping[str, str]] = {}
SECONDS: Final = 20.0
"""Time-out of one call."""

log = structlog.get_logger(__name__)


class ApiResponse(msgspec.Struct, frozen=True):
    """A successful response of the backend."""

    body: bytes
    etag: str = ""


class AccountApi:
    """Calls the backend for accounts' models and quota."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        base_url: str,
        identity: Identity,
        view: AccountView,
        refresher: CredentialRefresher,
    ) -> None:
        self._http = http
        self._base_url = base_url
        self._identity = identity
        self._view = view
        self._refresher = refresher
        self.reserve = False
        """Whether accounts' reserves are asked for; may change while running."""

    def __repr__(self) -> str:
        return f"<AccountApi to {self._base_url}>"

    async def models(self, account: Account) -> ApiResponse | None:
        """Fetch the models an account may use; None if the call failed, or it has no catalogue."""
        if not kind_of(account).has_catalogue:
            return None
        return await self._get(models_url(self._base_url, self._identity.version), account)

    async def usage(self, account: Account) -> ApiResponse | None:
        """Fetch an account's quota, which costs none; None if the call failed, or it has no quota."""
        if not kind_of(account).has_quota:
            return None
        asks = self.reserve and not account.fedramp
        more = {RESERVE_HEADER: "1"} if asks else {}
        return await self._get(usage_url(self._base_url), account, more)

    async def _get(
        self, url: str, account: Account, more: Mapping[str, str] = NO_HEADERS
    ) -> ApiResponse | None:
        held = self._view.credential(account.id)
        try:
            credential = await self._refresher.fresh(account.id, held=held)
            answer = await self._http.get(
                url, headers={**self._headers(account, credential), **more}, timeout=SECONDS
            )
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                # What this means for the account is for the refresher to find out: a refused
                # credential is renewed once, and one that cannot be marks its account.
                credential = await self._refresher.fresh(account.id, rejected=credential)
                answer = await self._http.get(
                    url, headers={**self._headers(account, credential), **more}, timeout=SECONDS
                )
            if answer.status_code == httpx.codes.OK:
                return ApiResponse(answer.content, answer.headers.get("etag", ""))
            why = str(answer.status_code)
        except (CredentialUnavailable, httpx.HTTPError) as error:
            why = type(error).__name__
        log.info("account.call_failed", account=account.id, path=httpx.URL(url).path, why=why)
        return None

    def _headers(self, account: Account, credential: Credential) -> dict[str, str]:
        return kind_of(account).headers(self._identity, account, credential)
