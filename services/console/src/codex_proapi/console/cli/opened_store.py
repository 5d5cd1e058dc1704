"""The store as the command line uses it: opened for one command, also while everything runs."""

import contextlib
import time
from collections.abc import AsyncIterator

from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.api_keys.store import KeyStore
from codex_proapi.commons.redis.clients import connect
from codex_proapi.commons.runtime.cipher import CredentialCipher
from codex_proapi.console.auth.administrator import Administrator
from codex_proapi.console.auth.passwords import Passwords
from codex_proapi.console.auth.script_tokens import ScriptTokens
from codex_proapi.console.auth.sessions import Sessions
from codex_proapi.local.environment import Start


class OpenedStore:
    """What commands read and change."""

    def __init__(self, start: Start) -> None:
        self._redis = connect(start.redis_url)
        cipher = CredentialCipher(start.gateway.encryption_keys)
        self.accounts = AccountStore(self._redis, cipher)
        self.keys = KeyStore(self._redis, cipher)
        self.tokens = ScriptTokens(self._redis, clock=time.time)
        self.administrator = Administrator(self._redis, Passwords(), clock=time.time)
        self.sessions = Sessions(self._redis, clock=time.time)

    def __repr__(self) -> str:
        return "<OpenedStore>"

    async def close(self) -> None:
        """Let go of the connections."""
        await self._redis.aclose()


@contextlib.asynccontextmanager
async def opened(start: Start) -> AsyncIterator[OpenedStore]:
    """The store of this start, with its embedded server if it needs one."""
    async with contextlib.AsyncExitStack() as stack:
        if start.redis is not None:
            await stack.enter_async_context(start.redis)
        store = OpenedStore(start)
        stack.push_async_callback(store.close)
        yield store
