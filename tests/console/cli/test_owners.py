"""Owners of accounts from the command line."""

import asyncio
import json
from collections.abc import Mapping

from click.testing import CliRunner, Result
from support.logins import a_login

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.redis.clients import connect
from codex_proapi.console.cli.owners.commands import owners


def run(environ: Mapping[str, str], *arguments: str, entered: str = "") -> Result:
    return CliRunner().invoke(owners, list(arguments), obj=environ, input=entered)


def test_an_owner_is_added_invited_listed_and_removed(environ: dict[str, str]) -> None:
    assert "no owners yet" in run(environ, "list").output
    added = run(environ, "add", "Ada  Lovelace")
    assert "added Ada Lovelace as own_" in added.output
    assert "no way in" in run(environ, "list").output

    link = run(environ, "invite", "Ada Lovelace", "--address", "https://pool.example.com/").stdout
    assert link.startswith("https://pool.example.com/owner/enter?link=own_")
    assert "invited" in run(environ, "list").output
    assert run(environ, "sign-out", "Ada Lovelace").exit_code == 0
    nothing = run(environ, "sign-out", "Ada Lovelace")
    assert "neither a session nor a link" in nothing.output
    assert run(environ, "remove", "Ada Lovelace", "--yes").exit_code == 0
    assert "no owners yet" in run(environ, "list").output


def test_without_an_address_the_link_is_that_of_public_url_or_of_this_machine(
    environ: dict[str, str],
) -> None:
    run(environ, "add", "Ada")
    here = run(environ, "invite", "Ada").stdout
    public = run({**environ, "PUBLIC_URL": "https://pool.example.com"}, "invite", "Ada").stdout

    assert here.startswith("http://localhost:1455/owner/enter?link=own_")
    assert public.startswith("https://pool.example.com/owner/enter?link=own_")


def test_two_of_one_name_are_told_apart_by_id_and_an_unknown_one_is_told(
    environ: dict[str, str],
) -> None:
    first = json.loads(run(environ, "add", "Ada", "--json").stdout)["id"]
    run(environ, "add", "Ada")

    assert "several owners are called Ada" in run(environ, "invite", "Ada").output
    assert run(environ, "invite", first).exit_code == 0
    assert "no owner is called Ben" in run(environ, "invite", "Ben").output
    assert run(environ, "add", " ").exit_code == 2
    assert run(environ, "add", "x" * 81).exit_code == 2


def test_an_owner_with_accounts_is_not_removed(environ: dict[str, str]) -> None:
    owner_id = json.loads(run(environ, "add", "Ada", "--json").stdout)["id"]

    async def own() -> str:
        redis = connect(environ["REDIS_URL"])
        store = AccountStore(redis, CredentialCipher((environ["ENCRYPTION_KEYS"],)))
        account = await store.add(a_login(exp=4_000_000_000, owner=owner_id))
        await redis.aclose()
        return account.id

    account_id = asyncio.run(own())
    assert account_id in run(environ, "list").output
    refused = run(environ, "remove", "Ada", "--yes")

    assert refused.exit_code == 1
    assert f"still has accounts ({account_id})" in refused.output
