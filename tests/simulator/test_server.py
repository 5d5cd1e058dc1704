"""The simulator as tests use it, and as a process of its own."""

import asyncio
import pathlib
import signal
import sys

import httpx
import pytest
from support.certificates import Authority
from support.requests_upstream import a_turn

from codex_proapi.simulator import Fault, Simulator
from codex_proapi.simulator.http.authentication import authenticate
from codex_proapi.simulator.state.refusals import Refusal


async def test_two_simulators_stand_side_by_side() -> None:
    async with Simulator() as one, Simulator() as other:
        assert one.port != other.port
        assert one.environ == {
            "CODEX_BASE_URL": f"http://127.0.0.1:{one.port}/backend-api/codex",
            "CODEX_AUTH_URL": f"http://127.0.0.1:{one.port}",
        }


async def test_a_closed_simulator_answers_nobody(http: httpx.AsyncClient) -> None:
    sim = Simulator()
    await sim.start()
    await sim.close()
    await sim.close()

    with pytest.raises(httpx.ConnectError):
        await http.get(sim.auth_url)


async def test_its_own_clock_decides_what_is_expired(http: httpx.AsyncClient) -> None:
    now = [1_000_000.0]
    async with Simulator(clock=lambda: now[0]) as sim:
        headers = sim.headers("ada")
        now[0] += 864_001

        answer = await http.post(f"{sim.base_url}/responses", headers=headers, json=a_turn())

    assert answer.json()["error"]["code"] == "token_expired"


async def test_clear_forgets_script_and_record(sim: Simulator, http: httpx.AsyncClient) -> None:
    sim.script(Fault(status=500), account=sim.account("ada"))
    await http.get(sim.auth_url + "/backend-api/x")

    sim.clear()

    assert sim.requests == []
    assert sim.world.faults.rules == []


def test_an_ended_login_has_no_token_left() -> None:
    sim = Simulator()
    headers, tokens = sim.headers("ada"), sim.auth_json("ada")["tokens"]

    sim.end_login("ada")

    refused = authenticate(headers, sim.world)
    assert isinstance(refused, Refusal)
    assert refused.code == "token_invalidated"
    outcome = sim.world.logins.refresh(tokens["refresh_token"], now=0)
    assert isinstance(outcome, Refusal)
    assert outcome.code == "refresh_token_invalidated"


def test_an_unknown_device_code_cannot_be_decided() -> None:
    sim = Simulator()

    with pytest.raises(LookupError):
        sim.approve_device("NONE-1", "ada")
    with pytest.raises(LookupError):
        sim.deny_device("NONE-1")


def test_a_device_code_is_decided_by_a_call() -> None:
    sim = Simulator()
    _, approved = sim.world.logins.begin_device(now=0)
    _, denied = sim.world.logins.begin_device(now=0)

    sim.approve_device(approved.user_code, "ada")
    sim.deny_device(denied.user_code)

    assert approved.approved_by is sim.account("ada")
    assert denied.denied


async def test_it_runs_as_a_process_and_stops_cleanly(http: httpx.AsyncClient) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "codex_proapi.simulator", "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    lines = [(await process.stdout.readline()).decode().strip() for _ in range(2)]
    environ = dict(line.split("=", 1) for line in lines)
    accounts = await http.get(f"{environ['CODEX_AUTH_URL']}/_simulator/accounts")
    process.send_signal(signal.SIGTERM)

    assert [account["name"] for account in accounts.json()] == ["ada", "ben", "cleo"]
    assert await process.wait() == 0
    await process.communicate()


async def test_it_serves_tls_with_a_certificate_of_the_testers(tmp_path: pathlib.Path) -> None:
    authority = Authority(tmp_path)

    async with (
        Simulator(tls=authority.server()) as sim,
        httpx.AsyncClient(verify=authority.client(), timeout=60) as http,
    ):
        answer = await http.get(f"{sim.base_url}/models")

    assert sim.environ["CODEX_BASE_URL"].startswith("https://127.0.0.1:")
    assert answer.status_code == 401
