"""Real processes that ask at the same time, with clocks of their own, and one that dies."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from support.logins import a_login
from support.refreshing import KEY
from support.token_server import TokenServer

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.model import (
    Account,
)
from codex_proapi.commons.accounts.store import AccountStore

WORKER = Path(__file__).parents[2] / "support" / "refresh_worker.py"


class Worker:
    """A real process that asks."""

    def __init__(
        self, redis_url: str, server: TokenServer, account: Account, **orders: Any
    ) -> None:
        self.orders = {
            "redis_url": redis_url,
            "issuer": server.url,
            "key": KEY,
            "account": account.id,
            **orders,
        }

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(WORKER),
            json.dumps(self.orders),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self.process.stdout is not None
        assert await self.process.stdout.readline() == b"ready\n"

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")

    async def result(self) -> list[Any]:
        out, _ = await self.process.communicate()
        assert self.process.returncode == 0
        return list(json.loads(out.splitlines()[-1]))

    async def kill(self) -> None:
        self.process.kill()
        await self.process.communicate()


async def workers(count: int, *args: Any, **orders: Any) -> list[Worker]:
    made = [Worker(*args, **orders) for _ in range(count)]
    await asyncio.gather(*(each.start() for each in made))
    return made


async def expired(redis_client: Redis) -> Account:
    store = AccountStore(redis_client, CredentialCipher([KEY]))
    return await store.add(a_login(exp=int(time.time()) - 60))


@pytest.fixture
async def today() -> AsyncIterator[TokenServer]:
    """A server whose tokens are good by the real clock of real processes."""
    async with TokenServer(exp=int(time.time()) + 864_000) as server:
        yield server


async def test_fifty_requests_on_each_of_five_processes_make_one_call(
    redis_url: str, redis_client: Redis, today: TokenServer
) -> None:
    account = await expired(redis_client)
    started = await workers(5, redis_url, today, account)

    for each in started:
        each.go()
    results = [await each.result() for each in started]

    assert [got for result in results for got in result] == [[2, today.exp]] * 250
    assert len(today.calls) == 1


async def test_processes_whose_clocks_differ_by_ten_minutes_make_one_call(
    redis_url: str, redis_client: Redis, today: TokenServer
) -> None:
    account = await expired(redis_client)
    args = (redis_url, today, account)
    started = [*await workers(2, *args, skew=300), *await workers(2, *args, skew=-50)]

    for each in started:
        each.go()
    results = [await each.result() for each in started]

    assert {tuple(got) for result in results for got in result} == {(2, today.exp)}
    assert len(today.calls) == 1


async def test_the_death_of_the_holder_in_the_middle_of_its_call_costs_nothing_but_time(
    redis_url: str, redis_client: Redis, today: TokenServer
) -> None:
    account = await expired(redis_client)
    today.gate.clear()
    args = (redis_url, today, account)
    (holder,) = await workers(1, *args, lock=2)
    others = await workers(2, *args, lock=2)
    holder.go()
    await today.arrived.wait()
    for each in others:
        each.go()

    await holder.kill()
    today.gate.set()
    results = [await each.result() for each in others]

    assert {tuple(got) for result in results for got in result} == {(2, today.exp)}
    assert len(today.calls) == 2
