"""Fixtures of accounts: their store; for the credential refresher a clock, a token server, one replica."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.refreshing import LATER, NOW, Replica, replicas
from support.stored_accounts import OLD
from support.token_server import TokenServer

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.store import AccountStore


@pytest.fixture
def store(redis_client: Redis) -> AccountStore:
    return AccountStore(redis_client, CredentialCipher([OLD]))


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
async def server() -> AsyncIterator[TokenServer]:
    async with TokenServer(exp=LATER) as server:
        yield server


@pytest.fixture
async def replica(redis_url: str, server: TokenServer, clock: Clock) -> AsyncIterator[Replica]:
    async with replicas(redis_url, server.url, clock) as (made,):
        yield made
