"""Accounts from the command line, on an embedded Redis of its own."""

import asyncio
import json
import pathlib
from typing import Any

import pytest
import redis
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet

from codex_proapi.commons.cluster.encryption_seal import WrongEncryptionKeys
from codex_proapi.commons.redis import keyspace
from codex_proapi.console.cli.accounts import accounts
from codex_proapi.console.cli.commands import run as command
from codex_proapi.simulator import SimulatedAccount, Simulator


@pytest.fixture
def sim() -> Simulator:
    return Simulator()


def run(environ: dict[str, str], *arguments: str, provided: bytes | None = None) -> Result:
    return CliRunner().invoke(accounts, arguments, obj=environ, input=provided)


def imported(environ: dict[str, str], content: Any, *arguments: str) -> Result:
    provided = content if isinstance(content, bytes) else json.dumps(content).encode()
    return run(environ, "import", "-", *arguments, provided=provided)


def test_a_file_becomes_an_account(
    environ: dict[str, str], sim: Simulator, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "auth.json"
    content = json.dumps(sim.auth_json("ada"))
    path.write_text(content)

    result = run(environ, "import", str(path))
    listed = run(environ, "list")

    assert result.exit_code == 0
    assert result.output.startswith("added ada@example.com (plus) as acc_")
    row = listed.output.splitlines()[1].split("\t")
    assert row[1:5] == ["ada@example.com", "ada@example.com", "plus", "active"]
    tokens = json.loads(content)["tokens"]
    assert not [t for t in tokens.values() if t[:12] in result.output + listed.output]


def test_standard_input_is_a_file_too_and_may_be_named(
    environ: dict[str, str], sim: Simulator
) -> None:
    assert "added mine (plus)" in imported(environ, sim.auth_json("ada"), "--name", "mine").output


def test_the_same_login_again_is_the_same_account(environ: dict[str, str], sim: Simulator) -> None:
    first = imported(environ, sim.auth_json("ada")).output
    second = imported(environ, sim.auth_json("ada")).output

    assert first.startswith("added ")
    assert second == first.replace("added", "renewed", 1)
    assert len(run(environ, "list").output.splitlines()) == 2


def test_an_expired_access_token_is_noted(environ: dict[str, str], sim: Simulator) -> None:
    result = imported(environ, sim.auth_json("ada", expires_in=-60))

    assert "it is renewed at the first use" in result.output


def test_a_missing_refresh_token_is_noted(environ: dict[str, str], sim: Simulator) -> None:
    content = sim.auth_json("ada")
    del content["tokens"]["refresh_token"]

    assert "ends with its access token" in imported(environ, content).output


BAD: list[tuple[Any, str]] = [
    (b"hello", "auth.json"),
    (b"\xff\xfe", "auth.json"),
    ([1], "auth.json"),
    ({"OPENAI_API_KEY": "sk-abcdefghijkl"}, "API key"),
    ({"tokens": {}}, "token"),
    ({"tokens": {"access_token": "opaque"}}, "token"),
]


@pytest.mark.parametrize(("content", "word"), BAD)
def test_a_bad_file_is_told_what_is_wrong_with_it(
    environ: dict[str, str], content: Any, word: str
) -> None:
    result = imported(environ, content)

    assert result.exit_code == 1
    assert word in result.output
    assert "sk-abcdefghijkl" not in result.output
    assert "Traceback" not in result.output


def test_a_file_that_is_too_large_is_not_read(environ: dict[str, str]) -> None:
    assert "too large" in imported(environ, b"x" * 100_000).output


def test_a_file_that_is_not_there_is_a_usage_error(environ: dict[str, str]) -> None:
    result = run(environ, "import", "nowhere.json")

    assert result.exit_code == 2
    assert "nowhere.json" in result.output


def test_an_account_is_paused_resumed_and_removed_by_any_of_its_names(
    environ: dict[str, str], sim: Simulator
) -> None:
    account_id = imported(environ, sim.auth_json("ada"), "--name", "mine").output.split()[-1]

    assert run(environ, "pause", "mine").output == "paused mine\n"
    assert "\tpaused\t" in run(environ, "list").output
    assert run(environ, "resume", "ada@example.com").output == "resumed mine\n"
    assert "\tactive\t" in run(environ, "list").output
    assert run(environ, "remove", account_id, "--yes").stdout == "removed mine\n"
    assert run(environ, "list").output.startswith("no accounts yet")


def test_removing_asks_first(environ: dict[str, str], sim: Simulator) -> None:
    imported(environ, sim.auth_json("ada"), "--name", "mine")

    result = run(environ, "remove", "mine", provided=b"n\n")

    assert result.exit_code == 1
    assert "mine" in run(environ, "list").output


def test_an_unknown_account_is_told(environ: dict[str, str]) -> None:
    result = run(environ, "pause", "nobody")

    assert result.exit_code == 1
    assert "no account is called nobody" in result.output


def test_an_address_with_two_accounts_must_be_told_apart(environ: dict[str, str]) -> None:
    home = SimulatedAccount(name="home", email="ada@example.com")
    work = SimulatedAccount(name="work", email="ada@example.com", plan="team")
    sim = Simulator(accounts=[home, work])
    for account in sim.accounts:
        imported(environ, sim.auth_json(account), "--name", account.name)

    result = run(environ, "pause", "ada@example.com")

    assert "may be any of acc_" in result.output
    assert run(environ, "pause", "work").exit_code == 0


def test_credentials_change_over_to_a_new_encryption_key(
    environ: dict[str, str], sim: Simulator
) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    before = {**environ, "ENCRYPTION_KEYS": old}
    both = {**environ, "ENCRYPTION_KEYS": f"{new},{old}"}
    after = {**environ, "ENCRYPTION_KEYS": new}
    for name in ("ada", "ben"):
        imported(before, sim.auth_json(name))

    too_early = run(after, "reseal")
    first, again = run(both, "reseal"), run(both, "reseal")
    alone = run(after, "reseal")

    assert isinstance(too_early.exception, WrongEncryptionKeys)
    for result in (first, again, alone):
        assert result.exit_code == 0
        assert result.output == "sealed 2 of 2 credentials under the first encryption key\n"
    assert isinstance(run(before, "reseal").exception, WrongEncryptionKeys)


def test_without_accounts_there_is_nothing_to_reseal(environ: dict[str, str]) -> None:
    assert run(environ, "reseal").output.startswith("sealed 0 of 0 credentials")


def test_with_keys_that_are_not_those_of_the_store_nothing_is_written(
    environ: dict[str, str], sim: Simulator
) -> None:
    imported(environ, sim.auth_json("ada"))
    mistaken = {**environ, "ENCRYPTION_KEYS": Fernet.generate_key().decode()}

    for refused in (
        imported(mistaken, sim.auth_json("ada")),
        imported(mistaken, sim.auth_json("ada"), "--force"),
        imported(mistaken, sim.auth_json("ben")),
        run(mistaken, "list"),
    ):
        assert isinstance(refused.exception, WrongEncryptionKeys)
    assert run(environ, "list").output.count("acc_") == 1
    assert run(environ, "reseal").output.startswith("sealed 1 of 1 credentials")


def test_a_lost_key_is_given_up_by_force_and_so_is_a_login_that_none_opens(
    environ: dict[str, str], sim: Simulator
) -> None:
    login = sim.auth_json("ada")
    imported(environ, login)
    new = {**environ, "ENCRYPTION_KEYS": Fernet.generate_key().decode()}

    given_up = run(new, "reseal", "--force")
    assert given_up.exit_code == 0
    assert given_up.output.startswith("sealed 0 of 1 credentials")

    refused = imported(new, login)
    assert refused.exit_code == 1
    assert "--force" in refused.output
    assert imported(new, login, "--force").exit_code == 0
    assert isinstance(run(environ, "list").exception, WrongEncryptionKeys), "the old key is over"


def test_the_list_is_json_for_scripts_without_tokens(
    environ: dict[str, str], sim: Simulator
) -> None:
    assert json.loads(run(environ, "list", "--json").output) == {"accounts": []}
    login = sim.auth_json("ada")
    imported(environ, login)

    listed = run(environ, "list", "--json").output

    (account,) = json.loads(listed)["accounts"]
    assert account["id"].startswith("acc_")
    assert login["tokens"]["access_token"] not in listed


async def test_removing_ends_the_login_at_openai(environ: dict[str, str], redis_url: str) -> None:
    async with Simulator() as sim:
        here = environ | sim.environ
        await asyncio.to_thread(imported, here, sim.auth_json("ada"))

        removed = await asyncio.to_thread(run, here, "remove", "ada@example.com", "--yes")

        assert removed.output == "removed ada@example.com; its login at OpenAI is ended\n"
        assert [received.path for received in sim.requests] == ["/oauth/revoke"]
        assert audited(redis_url)[-1]["before"]["login_revoked"] is True


async def test_a_login_is_left_alone_if_asked_to(environ: dict[str, str], redis_url: str) -> None:
    async with Simulator() as sim:
        here = environ | sim.environ
        await asyncio.to_thread(imported, here, sim.auth_json("ada"))

        removed = await asyncio.to_thread(
            run, here, "remove", "ada@example.com", "--yes", "--no-logout"
        )

        assert removed.output == "removed ada@example.com\n"
        assert sim.requests == []
        assert audited(redis_url)[-1]["before"]["login_revoked"] is False


def test_it_is_told_where_the_login_could_not_be_ended(
    environ: dict[str, str], sim: Simulator
) -> None:
    imported(environ, sim.auth_json("ada"))

    removed = run(environ, "remove", "ada@example.com", "--yes")

    assert removed.exit_code == 0
    assert removed.stdout == "removed ada@example.com\n"
    assert "could not be ended: sign out everywhere" in removed.stderr


def test_nothing_is_removed_by_a_wrong_setting_of_the_way_there(
    environ: dict[str, str], sim: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    imported(environ, sim.auth_json("ada"))
    wrong = environ | {"CODEX_AUTH_URL": "auth.openai.com"}

    assert command(wrong, ["accounts", "remove", "ada@example.com", "--yes"]) == 2
    assert "CODEX_AUTH_URL" in capsys.readouterr().err
    assert "ada@example.com" in run(environ, "list").output


@pytest.mark.parametrize(("answer", "code"), [("n\n", 1), ("", 2)])
def test_what_is_not_confirmed_is_not_done(
    environ: dict[str, str], sim: Simulator, answer: str, code: int
) -> None:
    imported(environ, sim.auth_json("ada"))

    refused = run(environ, "remove", "ada@example.com", provided=answer.encode())

    assert refused.exit_code == code
    assert ("nothing was changed" if answer else "say --yes") in refused.stderr
    assert "ada@example.com" in run(environ, "list").output


def audited(redis_url: str) -> list[dict[str, Any]]:
    with redis.Redis.from_url(redis_url) as client:
        rows = client.xrange(keyspace.audit())
    return [json.loads(fields[b"deed"]) for _, fields in rows]
