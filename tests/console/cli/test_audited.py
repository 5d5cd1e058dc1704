"""Whatever a command changes leaves exactly one record in the audit, as in the console."""

import json

import pytest
import redis
from click.testing import CliRunner

from codex_proapi.commons.redis import keyspace
from codex_proapi.console.cli.commands import root
from codex_proapi.simulator import Simulator


def actions(redis_url: str) -> list[tuple[str, str]]:
    with redis.Redis.from_url(redis_url) as client:
        rows = client.xrange(keyspace.audit())
    found = [json.loads(fields[b"deed"]) for _, fields in rows]
    return [(event["actor"], event["action"]) for event in found]


def run(environ: dict[str, str], line: str, provided: str = "") -> str:
    result = CliRunner().invoke(root, line.split(), obj=environ, input=provided)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_reading_leaves_none(environ: dict[str, str], redis_url: str) -> None:
    run(environ, "accounts list")
    run(environ, "keys list")
    run(environ, "admin token list")

    assert actions(redis_url) == []


def test_accounts(environ: dict[str, str], redis_url: str) -> None:
    login = json.dumps(Simulator().auth_json("ada"))
    run(environ, "accounts import -", login)
    run(environ, "accounts import -", login)
    for verb in ("pause", "resume", "remove --yes"):
        run(environ, f"accounts {verb} ada@example.com")
    run(environ, "accounts reseal")

    names = ("added", "renewed", "paused", "resumed", "removed", "resealed")
    assert actions(redis_url) == [("cli", f"account.{name}") for name in names]


def test_keys(environ: dict[str, str], redis_url: str) -> None:
    secret = run(environ, "keys create laptop").strip()
    run(environ, "keys change laptop --owner ada")
    renewed = run(environ, "keys rotate laptop").strip()
    run(environ, "keys revoke laptop")
    run(environ, "keys remove laptop")

    names = ("made", "changed", "rotated", "revoked", "removed")
    assert actions(redis_url) == [("cli", f"key.{name}") for name in names]
    with redis.Redis.from_url(redis_url) as client:
        kept = str(client.xrange(keyspace.audit()))
    assert secret not in kept
    assert renewed not in kept


def test_administration(environ: dict[str, str], redis_url: str) -> None:
    run(environ, "admin password --stdin", "correct horse battery\n")
    run(environ, "admin token create deploy")
    token = run(environ, "admin token list").splitlines()[1].split("\t")[0]
    run(environ, f"admin token revoke {token}")

    names = ("password_changed", "token_made", "token_revoked")
    assert actions(redis_url) == [("cli", f"admin.{name}") for name in names]


@pytest.mark.parametrize("command", ["keys revoke nobody", "accounts pause nobody"])
def test_what_fails_leaves_none(environ: dict[str, str], redis_url: str, command: str) -> None:
    assert CliRunner().invoke(root, command.split(), obj=environ).exit_code == 1
    assert actions(redis_url) == []
