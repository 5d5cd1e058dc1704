"""What tests of the credential refresher share: one process' worth of objects, and its times."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
from cryptography.fernet import Fernet
from redis.asyncio import Redis
from support.clock import Clock

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.model import (
    Account,
    Credential,
)
from codex_proapi.commons.accounts.refresh_pace import Pace
from codex_proapi.commons.accounts.refresher import CredentialRefresher
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.codex.token_endpoint import TokenEndpoint
from codex_proapi.commons.redis.clients import connect

NOW = 1_795_000_000
LATER = NOW + 864_000
KEY = Fernet.generate_key().decode()
QUICK = Pace(patience=60.0, grace=0.5, poll=0.01, pause=1, reuse=0.3, lock=2)


class Replica:
    """One process' worth of objects."""

    def __init__(self, redis: Redis, server_url: str, clock: Clock, pace: Pace = QUICK) -> None:
        self.outcomes: list[str] = []
        self.store = AccountStore(redis, CredentialCipher([KEY]))
        self.http = httpx.AsyncClient(trust_env=False, timeout=60)
        identity = {"originator": "codex_cli_rs", "user-agent": "codex_cli_rs/0.169.0"}
        endpoint = TokenEndpoint(
            self.http, issuer=server_url, client_id="app_test", identity=identity
        )
        self.refresher = CredentialRefresher(
            self.store,
            endpoint,
            redis,
            clock=clock,
            hook=lambda _account, outcome: self.outcomes.append(outcome),
            pace=pace,
        )

    async def fresh(self, account: Account, **provided: Any) -> Credential:
        return await self.refresher.fresh(account.id, **provided)

    async def held(self, account: Account) -> Credential:
        held = await self.store.credential(account.id)
        assert held is not None
        return held

    async def state(self, account: Account) -> tuple[str, str]:
        found = await self.store.get(account.id)
        assert found is not None
        return found.state, found.state_reason


@contextlib.asynccontextmanager
async def replicas(
    redis_url: str, server_url: str, clock: Clock, count: int = 1, pace: Pace = QUICK
) -> AsyncIterator[list[Replica]]:
    clients = [connect(redis_url) for _ in range(count)]
    made = [Replica(client, server_url, clock, pace) for client in clients]
    try:
        yield made
    finally:
        for replica in made:
            await replica.refresher.close()
            await replica.http.aclose()
        for client in clients:
            await client.aclose()
