"""Trying an account step by step, against the simulator."""

from collections.abc import AsyncIterator

import httpx
import pytest
from redis.asyncio import Redis
from support.account_kinds import BADGE, with_badges
from support.clock import Clock
from support.consoles import KEY, console_settings

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.model import Account
from codex_proapi.commons.accounts.refresher import CredentialRefresher
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.codex.identity import Identity
from codex_proapi.commons.codex.token_endpoint import TokenEndpoint
from codex_proapi.commons.redis import keyspace
from codex_proapi.console.accounts.auth_json import read_auth_json
from codex_proapi.console.accounts.connection_test import ConnectionTest, Step
from codex_proapi.simulator import Fault, Simulator

IDENTITY = Identity()


class Bench:
    """An account of the simulator, and a trial of it."""

    def __init__(self, sim: Simulator, redis: Redis, redis_url: str, clock: Clock) -> None:
        settings = console_settings(
            redis_url, codex_base_url=sim.base_url, codex_auth_url=sim.auth_url
        )
        self.sim, self.clock = sim, clock
        self.http = httpx.AsyncClient(trust_env=False, timeout=60)
        self.accounts = AccountStore(redis, CredentialCipher([KEY]))
        endpoint = TokenEndpoint(
            self.http,
            issuer=sim.auth_url,
            client_id=settings.codex_client_id,
            identity=IDENTITY.headers,
        )
        self.refresher = CredentialRefresher(self.accounts, endpoint, redis, clock=clock)
        self.connection_test = ConnectionTest(
            self.http, self.refresher, settings=settings, identity=IDENTITY
        )

    async def account(self, *, expires_in: float | None = None) -> Account:
        content = self.sim.auth_json("ada", expires_in=expires_in)
        return await self.accounts.add(read_auth_json(content, now=self.clock()).account)

    async def run(self, account: Account, *, answer: bool = False) -> list[Step]:
        return await self.connection_test.run(account, answer=answer)


@pytest.fixture
async def bench(redis_client: Redis, redis_url: str) -> AsyncIterator[Bench]:
    clock = Clock()
    async with Simulator(clock=clock) as sim:
        bench = Bench(sim, redis_client, redis_url, clock)
        yield bench
        await bench.refresher.close()
        await bench.http.aclose()


def told(steps: list[Step]) -> list[tuple[str, str]]:
    return [(step.name, step.code or "passed") for step in steps]


async def test_a_healthy_account_passes_every_step(bench: Bench) -> None:
    steps = await bench.run(await bench.account(), answer=True)

    assert told(steps) == [
        (name, "passed") for name in ("connection", "token", "models", "quota", "answer")
    ]
    assert steps[2].facts["models"] > 5  # type: ignore[operator]
    assert steps[3].facts == {"plan": "plus"}
    assert steps[4].facts["model"] == bench.sim.turns[0].body["model"]
    assert all(step.milliseconds >= 0 for step in steps)


async def test_nothing_is_spent_unless_an_answer_is_wanted(bench: Bench) -> None:
    steps = await bench.run(await bench.account())

    assert told(steps)[-1] == ("quota", "passed")
    assert bench.sim.turns == []


async def test_an_expired_token_is_renewed_on_the_way(bench: Bench) -> None:
    steps = await bench.run(await bench.account(expires_in=-60))

    assert all(step.passed for step in steps)
    assert [call.status for call in bench.sim.token_calls] == [200]


async def test_a_revoked_login_ends_at_its_token(bench: Bench) -> None:
    account = await bench.account(expires_in=-60)
    bench.sim.script("refresh_token_invalidated", on="token", times=None)

    assert told(await bench.run(account)) == [
        ("connection", "passed"),
        ("token", "credential_revoked"),
    ]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault(refusal="usage_limit_reached"), "usage_limit_reached"),
        (Fault(status=403, body="<html>challenge</html>"), "http_403"),
        (
            Fault(status=400, body={"detail": {"code": "deactivated_workspace"}}),
            "deactivated_workspace",
        ),
        (Fault(failure="server_is_overloaded"), "server_is_overloaded"),
        (Fault(cut_after=300), "upstream_stream_truncated"),
        (Fault(cut_after=300, cut="eof"), "upstream_stream_truncated"),
    ],
)
async def test_a_refused_answer_is_named_by_its_code(bench: Bench, fault: Fault, code: str) -> None:
    account = await bench.account()
    bench.sim.script(fault, times=None)
    steps = await bench.run(account, answer=True)

    assert told(steps)[-1] == ("answer", code)


async def test_a_backend_that_is_not_there_ends_at_the_connection(bench: Bench) -> None:
    account = await bench.account()
    await bench.sim.close()

    assert told(await bench.run(account)) == [("connection", "upstream_unreachable")]


async def test_no_step_tells_a_token(bench: Bench) -> None:
    account = await bench.account()
    held = await bench.accounts.credential(account.id)
    steps = await bench.run(account, answer=True)

    assert held is not None
    assert held.access_token not in str(steps)


async def test_steps_that_a_kind_of_account_has_not_are_left_out(
    bench: Bench, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_badges(monkeypatch)
    added = await bench.account()
    await redis_client.hset(keyspace.account(added.id), "kind", BADGE)
    account = await bench.accounts.get(added.id)
    assert account is not None

    assert told(await bench.run(account)) == [("connection", "passed"), ("token", "passed")]


async def test_nothing_is_sent_for_an_account_of_an_unknown_kind(
    bench: Bench, redis_client: Redis
) -> None:
    added = await bench.account()
    await redis_client.hset(keyspace.account(added.id), "kind", "bedrock")
    account = await bench.accounts.get(added.id)
    assert account is not None

    assert told(await bench.run(account, answer=True)) == [
        ("connection", "passed"),
        ("token", "credential_unavailable"),
    ]
    assert bench.sim.turns == []
