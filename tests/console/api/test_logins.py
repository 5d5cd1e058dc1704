"""Who may read a login, and where it redirects; whole logins are in tests/journeys/test_f5_login.py."""

from collections.abc import AsyncIterator

import pytest
from support.consoles import Browser, console_settings, running, script

from codex_proapi.console.app import Console
from codex_proapi.simulator import Simulator


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator() as sim:
        yield sim


@pytest.fixture
async def console(redis_url: str, sim: Simulator) -> AsyncIterator[Console]:
    settings = console_settings(redis_url, codex_auth_url=sim.auth_url)
    async with running(settings) as console:
        yield console


@pytest.mark.parametrize(
    ("base", "returns_here"),
    [
        ("http://localhost:1455", True),
        ("http://127.0.0.1:1455", False),
        ("http://localhost:9", False),
    ],
)
async def test_a_login_says_whether_it_leads_back_here(
    console: Console, base: str, returns_here: bool
) -> None:
    async with Browser(console, base=base) as browser:
        await browser.learn()
        begun = (await browser.post("/api/logins", json={"way": "browser"})).json()

    assert begun["returns_here"] is returns_here
    assert begun["redirect_uri"] == "http://localhost:1455/auth/callback"


async def test_on_this_machine_a_login_survives_the_change_from_127_0_0_1_to_localhost(
    console: Console, sim: Simulator
) -> None:
    async with Browser(console, base="http://127.0.0.1:1455") as browser:
        await browser.learn()
        leaving = await browser.get("/auth/login")
    back = sim.authorize(leaving.headers["location"], "ada")
    async with Browser(console) as browser:
        await browser.learn()
        answer = await browser.get(back)

    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/accounts?signed_in=acc_")


async def test_a_script_without_cookies_can_walk_the_whole_road(
    console: Console, sim: Simulator
) -> None:
    async with script(console) as api:
        leaving = await api.get("/auth/login")
    async with script(console) as api:
        answer = await api.get(sim.authorize(leaving.headers["location"], "ada"))
        assert answer.status_code == 303
        assert len((await api.get("/api/accounts")).json()["accounts"]) == 1


async def test_an_unknown_account_cannot_be_renewed(console: Console) -> None:
    async with script(console) as api:
        answer = await api.post("/api/logins", json={"way": "device", "account": "acc_1"})
        wrong = await api.post("/api/logins", json={"way": "telepathy"})

    assert (answer.status_code, answer.json()["error"]["param"]) == (404, "account")
    assert wrong.status_code == 400
