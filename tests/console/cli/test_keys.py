"""API keys from the command line."""

import asyncio
import json
import time

import pytest
from click.testing import CliRunner, Result
from redis.asyncio import Redis
from support.console_scene import FERNET, Scene

from codex_proapi.commons.redis.clients import connect
from codex_proapi.console.cli.keys import keys


def run(environ: dict[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(keys, arguments, obj=environ)


def test_a_key_is_shown_once_alone_on_standard_output(environ: dict[str, str]) -> None:
    made = run(environ, "create", "laptop", "--owner", "ada")
    listed = run(environ, "list").stdout

    secret = made.stdout.strip()
    assert secret.startswith("cpa-")
    assert "created key_" in made.stderr
    assert secret not in listed
    assert listed.splitlines()[1].split("\t")[1:5] == ["laptop", "ada", f"{secret[:12]}…", "active"]


def test_a_key_is_revoked_by_id_or_name(environ: dict[str, str]) -> None:
    run(environ, "create", "laptop")
    run(environ, "create", "phone")

    by_name = run(environ, "revoke", "laptop")
    rows = run(environ, "list").stdout.splitlines()
    key_id = next(row.split("\t")[0] for row in rows if "phone" in row)
    by_id = run(environ, "revoke", key_id)

    assert by_name.stdout.startswith("revoked laptop (key_")
    assert key_id in by_id.stdout
    assert run(environ, "list").stdout.count("revoked") == 2


def test_a_weight_beyond_its_bounds_is_refused(environ: dict[str, str]) -> None:
    assert run(environ, "create", "laptop", "--weight", "0.01").exit_code == 2
    assert run(environ, "create", "laptop", "--weight", "2.5").exit_code == 0


def test_an_unknown_or_twofold_name_is_told(environ: dict[str, str]) -> None:
    run(environ, "create", "laptop")
    run(environ, "create", "laptop")

    assert "no key is called phone" in run(environ, "revoke", "phone").output
    assert "may be any of key_" in run(environ, "revoke", "laptop").output


def test_no_keys_is_told(environ: dict[str, str]) -> None:
    assert run(environ, "list").stdout.startswith("no keys yet")


def test_all_a_key_may_be_is_said_shown_and_changed(environ: dict[str, str]) -> None:
    run(environ, "create", "ci", "--rpm", "60", "--tokens-week", "1000000", "--expires", "30d")
    run(environ, "change", "ci", "--usd-day", "12.50", "--usd-month", "0.0004")
    run(
        environ, "change", "ci", "--model", "gpt-5.5", "--weight", "2", "--rpm", "0", "--name", "CI"
    )
    run(environ, "change", "CI", "--group", "nightly")
    shown = dict(line.split("\t") for line in run(environ, "show", "CI").stdout.splitlines())

    assert (shown["models"], shown["weight"], shown["group"]) == ("gpt-5.5", "2", "nightly")
    assert run(environ, "list").stdout.rstrip().endswith("\tnightly")
    assert (shown["limits"], shown["accounts"]) == (
        "tokens-week 1000000, usd-day 12.50, usd-month 0.0004",
        "all",
    )
    assert shown["ends"].endswith("UTC")
    told = json.loads(run(environ, "list", "--json").stdout)["keys"]
    assert told == [json.loads(run(environ, "show", "CI", "--json").stdout)]
    assert told[0]["limits"]["tokens_week"] == 1_000_000
    assert told[0]["limits"]["micro_usd_day"] == 12_500_000
    assert "is no amount" in run(environ, "change", "CI", "--usd-day", "12,50").output
    assert "nothing to change" in run(environ, "change", "CI").output
    assert "ada is no account" in run(environ, "change", "CI", "--account", "ada").output
    assert run(environ, "change", "CI", "--account", "all").exit_code == 0


def test_a_rotated_key_shows_its_secret_once_and_a_removed_one_is_gone(
    environ: dict[str, str],
) -> None:
    made = json.loads(run(environ, "create", "laptop", "--json").stdout)
    rotated = run(environ, "rotate", "laptop", "--overlap", "24h")

    assert rotated.stdout.strip() not in {"", made["secret"]}
    assert "the old secret works until" in rotated.stderr
    assert run(environ, "rotate", "laptop", "--overlap", "31d").exit_code == 2
    run(environ, "revoke", "laptop")
    assert "is revoked" in run(environ, "change", made["key"]["id"], "--rpm", "1").output
    assert run(environ, "remove", "laptop").stdout.startswith("removed laptop (key_")
    assert run(environ, "list").stdout.startswith("no keys yet")


@pytest.mark.parametrize("name", [" ", "x" * 101])
def test_a_name_that_the_console_would_refuse_is_refused(
    environ: dict[str, str], name: str
) -> None:
    assert run(environ, "create", name).exit_code == 2
    assert run(environ, "create", "laptop").exit_code == 0
    assert run(environ, "change", "laptop", "--name", name).exit_code == 2


async def test_a_model_that_nobody_offers_is_refused_with_those_that_are(
    redis_url: str, redis_client: Redis
) -> None:
    client = connect(redis_url)
    await Scene(client, now=time.time()).people()
    await client.aclose()
    environ = {"REDIS_URL": redis_url, "ENCRYPTION_KEYS": FERNET}
    asked = (
        ("create", "laptop", "--model", "nope"),
        ("create", "laptop", "--model", "gpt-5.5", "--default-model", "nope"),
        ("create", "laptop", "--small-work-models", "auxiliary=nope"),
    )
    refused = [await asyncio.to_thread(run, environ, *arguments) for arguments in asked]
    listed = await asyncio.to_thread(run, environ, "list", "--json")
    options = ("--model", "GPT-5.5", "--default-model", "gpt-5")
    small = ("--small-work-models", "haiku=gpt-5.5")
    made = await asyncio.to_thread(run, environ, "create", "phone", *options, *small)
    wrong = await asyncio.to_thread(run, environ, "create", "a", "--small-work-models", "x=gpt-5.5")

    for each in refused:
        assert each.exit_code == 1
        assert "No account offers nope. Offered are gpt-6.1-sol" in each.stderr
    assert json.loads(listed.stdout)["keys"] == []
    assert made.exit_code == 0
    assert (wrong.exit_code, "x is no class of small work" in wrong.stderr) == (1, True)
