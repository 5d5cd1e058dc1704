"""The demo's own parts; that it runs as a whole is shown in journeys/test_one_command.py."""

import pathlib

from codex_proapi.local.demo import demo_environ, import_accounts
from codex_proapi.local.environment import Start
from codex_proapi.simulator import Simulator


async def test_the_invented_accounts_are_imported(tmp_path: pathlib.Path) -> None:
    simulator = Simulator()
    start = Start({"DATA_DIR": str(tmp_path)})

    await import_accounts(simulator, start)

    async with start.opened() as store:
        found = await store.accounts.list()
    assert sorted((account.name, account.plan) for account in found) == [
        ("ada", "plus"),
        ("ben", "pro"),
        ("cleo", "team"),
    ]


def test_nothing_real_is_reached(tmp_path: pathlib.Path) -> None:
    mine = {
        "REDIS_URL": "redis://mine",
        "DATA_DIR": "/mine",
        "CODEX_BASE_URL": "https://chatgpt.com",
        "ENCRYPTION_KEYS": "mine",
        "LOG_LEVEL": "debug",
        "NATIVE_CODE": "off",
        "UPSTREAM_TRANSPORT": "websocket",
        "DRAIN_SECONDS": "6",
    }
    simulator = Simulator(port=5)

    made = demo_environ(mine, simulator, folder=tmp_path, redirect="http://localhost:1/x")

    assert made == {
        "LOG_LEVEL": "debug",
        "NATIVE_CODE": "off",
        "UPSTREAM_TRANSPORT": "websocket",
        "DRAIN_SECONDS": "6",
        "CODEX_BASE_URL": "http://127.0.0.1:5/backend-api/codex",
        "CODEX_AUTH_URL": "http://127.0.0.1:5",
        "DATA_DIR": str(tmp_path),
        "OAUTH_REDIRECT_URI": "http://localhost:1/x",
    }
