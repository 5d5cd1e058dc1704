"""The comparison of transports, against the simulated backend, which speaks both."""

import asyncio
import io
import json
import threading
import time
from collections.abc import Iterator
from typing import Self

import pytest

from codex_proapi.console.accounts.auth_json import read_auth_json
from codex_proapi.console.cli.commands import run
from codex_proapi.console.cli.opened_store import opened
from codex_proapi.simulator import Simulator


class Backend:
    """A simulator in a thread of its own, as commands have a loop of their own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.simulator = Simulator()
        self._thread = threading.Thread(target=self.loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.simulator.__aenter__(), self.loop).result()
        return self

    def __exit__(self, *error: object) -> None:
        asyncio.run_coroutine_threadsafe(
            self.simulator.__aexit__(None, None, None), self.loop
        ).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend() as made:
        yield made


@pytest.fixture
def environment(environ: dict[str, str], backend: Backend) -> dict[str, str]:
    return {**environ, **backend.simulator.environ}


def added(environment: dict[str, str], backend: Backend) -> str:
    """The id of an account of the simulator, added as by `accounts import`."""

    async def add() -> str:
        [first, *_] = backend.simulator.accounts
        content = backend.simulator.auth_json(first)
        async with opened(environment) as store:
            account = await store.accounts.add(
                read_auth_json(content, now=time.time(), name="").account
            )
            return account.id

    return asyncio.run(add())


def test_both_are_asked_in_turn_and_shown_with_what_to_set(
    environment: dict[str, str], backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    account = added(environment, backend)

    code = run(environment, ["doctor", "--transports", account, "--turns", "6", "--yes"])
    said = capsys.readouterr()

    assert said.err == ""
    lines = said.out.splitlines()
    assert lines[0].split("\t")[:3] == ["TRANSPORT", "TURNS", "FAILED"]
    assert [line.split("\t")[:3] for line in lines[1:3]] == [
        ["http", "6", "0"],
        ["websocket", "6", "0"],
    ]
    assert code == 0
    assert "-> UPSTREAM_TRANSPORT=" in said.out


def test_as_json_every_figure_is_there_and_no_token(
    environment: dict[str, str], backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    account = added(environment, backend)

    run(environment, ["doctor", "--transports", account, "--turns", "1", "--yes", "--json"])
    said = capsys.readouterr().out
    found = json.loads(said)

    assert [each["transport"] for each in found["transports"]] == ["http", "websocket"]
    assert all(each["first_p50"] > 0 for each in found["transports"])
    assert found["recommended"] == "", "one turn says nothing"
    assert "eyJ" not in said


def test_without_agreement_nothing_is_asked(
    environment: dict[str, str],
    backend: Backend,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = added(environment, backend)
    monkeypatch.setattr("sys.stdin", io.StringIO())

    code = run(environment, ["doctor", "--transports", account])

    assert code == 2
    assert "--yes" in capsys.readouterr().err
    assert not backend.simulator.world.requests


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--transports", "acc_none"], "there is no account acc_none"),
        (["--transports", "{account}", "--model", "gpt-none"], "does not list gpt-none"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(
    environment: dict[str, str],
    backend: Backend,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    account = added(environment, backend)
    filled = [each.format(account=account) for each in arguments]

    assert run(environment, ["doctor", *filled, "--yes"]) == 1
    assert said in capsys.readouterr().err


def test_a_socket_that_is_refused_is_counted_and_post_recommended(
    environment: dict[str, str], backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    account = added(environment, backend)
    backend.simulator.script("upgrade_required", on="upgrade", times=None)

    run(environment, ["doctor", "--transports", account, "--turns", "5", "--yes", "--json"])
    found = json.loads(capsys.readouterr().out)

    assert found["recommended"] == "http"
    assert found["transports"][1]["failed"] == 5
