"""Fixtures of the credential refresher: a clock, a token server and one replica."""

from collections.abc import AsyncIterator

import pytest
from support.clock import Clock
from support.refreshing import LATER, NOW, Replica, replicas
from support.token_server import TokenServer


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
