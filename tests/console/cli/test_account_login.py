"""`codex-proapi accounts login`: a code that is entered elsewhere, in front of the simulated server."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.console.cli.commands import run
from codex_proapi.simulator import Simulator


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator() as simulator:
        simulator.world.device_interval = "1"
        yield simulator


@pytest.fixture
def environ(environ: dict[str, str], sim: Simulator) -> dict[str, str]:
    return environ | sim.environ


async def code_of(sim: Simulator) -> str:
    """The code of the login that was begun last, once there is one."""
    async with asyncio.timeout(60):
        while not sim.world.logins.devices:
            await asyncio.sleep(0.01)
    return [*sim.world.logins.devices.values()][-1].user_code


async def test_the_code_is_shown_and_the_account_arrives(
    environ: dict[str, str], sim: Simulator, redis_client: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    command = asyncio.ensure_future(
        asyncio.to_thread(run, environ, ["accounts", "login", "--json"])
    )
    code = await code_of(sim)
    sim.approve_device(code, "ada")

    assert await command == 0
    out, err = capsys.readouterr()
    said = json.loads(out)
    assert (said["account"]["email"], said["account"]["source"]) == ("ada@example.com", "device")
    assert said["renewed"] is False
    assert f"/codex/device and enter {code}" in err
    audit = str(await redis_client.xrange(keyspace.audit()))
    assert "login.finished" in audit
    assert '"actor":"cli"' in audit


async def test_a_refused_code_fails_with_the_reason(
    environ: dict[str, str], sim: Simulator, redis_client: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    command = asyncio.ensure_future(asyncio.to_thread(run, environ, ["accounts", "login"]))
    sim.deny_device(await code_of(sim))

    assert await command == 1
    assert "codex-proapi: " in capsys.readouterr().err
    assert "login.failed" in str(await redis_client.xrange(keyspace.audit()))


async def test_another_account_than_the_one_meant_is_refused(
    environ: dict[str, str], sim: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    first = asyncio.ensure_future(asyncio.to_thread(run, environ, ["accounts", "login"]))
    sim.approve_device(await code_of(sim), "ada")
    assert await first == 0
    sim.world.logins.devices.clear()

    again = asyncio.ensure_future(
        asyncio.to_thread(run, environ, ["accounts", "login", "ada@example.com"])
    )
    sim.approve_device(await code_of(sim), "ben")

    assert await again == 1
    assert "a different account" in capsys.readouterr().err


async def test_ctrl_c_gives_the_login_up(
    environ: dict[str, str], sim: Simulator, redis_client: Redis
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "codex_proapi.console.cli", "accounts", "login"),
        env=environ,
        stderr=asyncio.subprocess.PIPE,
    )
    await code_of(sim)
    assert process.stderr is not None
    await process.stderr.readline()
    process.send_signal(signal.SIGINT)

    assert await process.wait() == 130
    assert (await process.stderr.read()).strip() == b""
    logins = [key async for key in redis_client.scan_iter(keyspace.login("*"))]
    assert [key for key in logins if "outcome" not in key] == []
