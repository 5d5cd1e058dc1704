"""The copy of the accounts that each process keeps."""

import asyncio
import contextlib

from codex_proapi.commons.accounts.kinds import is_known
from codex_proapi.commons.accounts.model import Account, Credential
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.runtime.errors import CredentialUnavailable


class AccountView:
    """One process' copy of the accounts, exact for the version it carries.

    The version is read before the accounts, so after a change in between the next snapshot's
    version differs and the view reloads; the data may be newer than its version, never older.
    """

    def __init__(self, store: AccountStore) -> None:
        self._store = store
        self._lock = asyncio.Lock()
        self._sealed: dict[str, tuple[int, str]] = {}
        self._opened: dict[str, Credential] = {}
        self.version = -1
        self.accounts: dict[str, Account] = {}

    def __repr__(self) -> str:
        return f"<AccountView {len(self.accounts)} accounts, version {self.version}>"

    async def refresh_if(self, version: int) -> bool:
        """Reload if the version differs; True if it did. Concurrent callers share one reload."""
        if version == self.version:
            return False
        async with self._lock:
            if version == self.version:
                return False
            await self._reload()
            return True

    def forget(self) -> None:
        """Reload at the next `refresh_if`, whatever its version."""
        self.version = -1

    def credential(self, account_id: str) -> Credential | None:
        """The credential of an account as of this version; None if it has none that opens.

        None, too, for an account of a kind that is not known here.
        """
        account = self.accounts.get(account_id)
        if account is None:
            return None
        generation, sealed = self._sealed.get(account_id, (0, ""))
        held = self._opened.get(account_id)
        if held is not None and held.generation == generation and held.kind == account.kind:
            return held
        if not is_known(account.kind):
            return None
        with contextlib.suppress(CredentialUnavailable):
            if sealed:
                held = self._store.unseal(account_id, generation, sealed, kind=account.kind)
                self._opened[account_id] = held
                return held
        return None

    async def _reload(self) -> None:
        version = await self._store.version()
        loaded = await self._store.load()
        self.accounts = {account.id: account for account, _, _ in loaded}
        self._sealed = {account.id: (generation, sealed) for account, generation, sealed in loaded}
        self._opened = {i: held for i, held in self._opened.items() if i in self._sealed}
        self.version = version
