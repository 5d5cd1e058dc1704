"""`accounts add-token`: a personal access token from the terminal or standard input."""

import asyncio
import json
import threading
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from codex_proapi.console.cli.accounts import accounts
from codex_proapi.simulator import Simulator


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """A backend in a thread of its own: a command has its own event loop."""
    loop, sim = asyncio.new_event_loop(), Simulator()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(sim.start(), loop).result()
    yield sim
    asyncio.run_coroutine_threadsafe(sim.close(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def there(environ: dict[str, str], sim: Simulator) -> dict[str, str]:
    return {**environ, **sim.environ}


def run(environ: dict[str, str], *arguments: str, provided: str = "") -> Result:
    return CliRunner().invoke(accounts, arguments, obj=environ, input=provided)


def add(environ: dict[str, str], token: str, *arguments: str) -> Result:
    return run(environ, "add-token", "--access-token-stdin", *arguments, provided=f"{token}\n")


def test_a_token_on_standard_input_becomes_an_account(
    there: dict[str, str], sim: Simulator
) -> None:
    token = sim.account("cleo").access_key

    first, again = add(there, token, "--name", "Team"), add(there, token)
    listed = run(there, "list").output

    assert first.output.startswith("added Team (team) as acc_")
    assert again.output.startswith("renewed Team (team) as acc_")
    assert "active" in listed
    assert token not in first.output + again.output + listed


def test_its_end_is_kept_where_one_is_told_and_as_json(
    there: dict[str, str], sim: Simulator
) -> None:
    token = sim.account("ada").access_key

    bare = json.loads(add(there, token, "--json").output)
    ended = json.loads(add(there, token, "--expires", "30d", "--json").output)

    assert bare["account"]["kind"] == "personal_token"
    assert bare["account"]["token_expires_at"] is None
    assert (bare["renewed"], ended["renewed"]) == (False, True)
    assert ended["account"]["token_expires_at"]


def test_what_is_no_token_says_so(there: dict[str, str]) -> None:
    for token, words in (
        ("sk-1234567890", "no personal access token"),
        ("", "no personal access token"),
        ("at-nobody-has-it", "does not accept this access token"),
    ):
        result = add(there, token)

        assert result.exit_code == 1
        assert words in result.output
        assert "sk-1234567890" not in result.output


def test_without_an_answer_of_the_server_nothing_is_kept(
    environ: dict[str, str], sim: Simulator
) -> None:
    result = add(environ, sim.account("ada").access_key)

    assert "could not be reached" in result.output
    assert "no accounts yet" in run(environ, "list").output


def test_a_file_with_a_personal_token_is_imported_as_one(
    there: dict[str, str], sim: Simulator
) -> None:
    content = json.dumps({"personal_access_token": sim.account("ada").access_key})

    result = run(there, "import", "-", provided=content)

    assert result.output.startswith("added ada@example.com (plus)")
    assert "used until OpenAI refuses it" in result.output


def test_removing_it_says_that_the_token_lives_on(there: dict[str, str], sim: Simulator) -> None:
    account = add(there, sim.account("ada").access_key).output.split()[-1]

    assert "until it is deleted in ChatGPT too" in run(there, "remove", account, "--yes").output
