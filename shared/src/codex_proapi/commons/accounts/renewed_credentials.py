"""Saves renewed credentials and keeps them for some minutes, in case Redis loses the write.

A refresh token works once, so the pair that a refresh brought exists nowhere else until it is saved,
and a Redis that fails over, or loses power, may forget its last second. As long as this process
still has the pair, nothing is lost: it is saved again as soon as Redis shows the spent token.
"""

import asyncio
from collections.abc import Iterable

import msgspec
import structlog

from codex_proapi.commons.accounts.kinds import kind_of
from codex_proapi.commons.accounts.model import Credential, token_digest
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.codex.whoami import TokenOwner
from codex_proapi.commons.runtime.errors import StoreUnavailable

KEPT_SECONDS = 600.0
"""How long a renewed credential is kept in memory after it was saved."""
MOST_KEPT = 1000
"""Renewed credentials kept; the oldest goes first."""
MOST_PAUSE = 1.0
"""Longest pause between two tries to save, in seconds."""

log = structlog.get_logger(__name__)


class RenewedCredentials:
    """The renewed credentials of one process.

    Args:
        store: where they are saved.
        pause: seconds before the second try to save one; doubles to MOST_PAUSE.
    """

    def __init__(self, store: AccountStore, *, pause: float) -> None:
        self._store = store
        self._pause = pause
        self._kept: dict[str, _Renewed] = {}
        self._returned = asyncio.Event()

    def __repr__(self) -> str:
        return f"<RenewedCredentials {len(self._kept)} kept>"

    @property
    def accounts(self) -> Iterable[str]:
        """Ids of the accounts whose renewed credential is kept."""
        return tuple(self._kept)

    def returned(self) -> None:
        """Retry pending saves at once; called when Redis is back."""
        self._returned.set()
        self._returned = asyncio.Event()

    async def save(
        self, renewed: Credential, *, replaced: Credential, owner: TokenOwner | None = None
    ) -> bool:
        """Save a renewed credential; retried while Redis is away.

        Args:
            renewed: the credential to save.
            replaced: the one whose refresh token it was obtained for.
            owner: whose a personal access token is, as the authorization server says now.

        Returns False if another credential was saved meanwhile.
        """
        pause = self._pause
        while True:
            returned = self._returned
            try:
                saved = await self._store.save_credential(
                    renewed, expected=replaced.generation, owner=owner
                )
            except StoreUnavailable:
                log.warning("credential.unsaved", account=renewed.account_id)
                await asyncio.wait({asyncio.ensure_future(returned.wait())}, timeout=pause)
                pause = min(2 * pause, MOST_PAUSE)
            else:
                if saved:
                    self._keep(renewed, replaced)
                return saved

    async def restored(self, found: Credential) -> Credential:
        """The credential of an account after one that Redis has lost was saved again.

        Args:
            found: the credential read from Redis; given back unless its refresh token is one that
                this process has spent and whose successor it has kept.
        """
        kept = self._kept.get(found.account_id)
        if kept is None or _digest(found) != kept.spent:
            return found
        if kept.until < asyncio.get_running_loop().time():
            del self._kept[found.account_id]
            return found
        saved = await self._store.save_credential(kept.credential, expected=found.generation)
        if saved:
            log.warning("credential.saved_again", account=found.account_id)
        return await self._store.credential(found.account_id) or found

    def _keep(self, renewed: Credential, replaced: Credential) -> None:
        self._kept.pop(renewed.account_id, None)
        if _digest(renewed) == _digest(replaced):  # it was not spent
            return
        if len(self._kept) >= MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        until = asyncio.get_running_loop().time() + KEPT_SECONDS
        self._kept[renewed.account_id] = _Renewed(
            credential=renewed, spent=_digest(replaced), until=until
        )


class _Renewed(msgspec.Struct, frozen=True):
    """A renewed credential."""

    credential: Credential
    spent: str
    """Digest of the refresh token it was obtained for."""
    until: float
    """When it is forgotten, by the event loop's clock."""

    def __repr__(self) -> str:
        return f"<_Renewed {self.credential.account_id}>"


def _digest(credential: Credential) -> str:
    return token_digest(kind_of(credential).refresh_token(credential))
