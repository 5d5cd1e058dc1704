"""Owners of accounts from the command line."""

import asyncio
import json
import pathlib
import time
from collections.abc import Mapping

from click.testing import CliRunner, Result
from support.logins import a_login
from support.redis_server import RedisServer

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.model import Account
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.redis.clients import connect
from codex_proapi.console.cli.commands import root
from codex_proapi.console.cli.owners.commands import owners
from codex_proapi.console.owners.owner_access import OwnerAccesses
from codex_proapi.console.owners.owner_store import OwnerStore


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


def test_a_backup_has_owners_and_their_accounts_but_lets_nobody_in(
    environ: dict[str, str], tmp_path: pathlib.Path
) -> None:
    owner_id = json.loads(run(environ, "add", "Ada", "--json").stdout)["id"]
    file = str(tmp_path / "backup")

    async def fill() -> tuple[Account, str]:
        redis = connect(environ["REDIS_URL"])
        accesses = OwnerAccesses(redis, clock=time.time)
        store = AccountStore(redis, CredentialCipher((environ["ENCRYPTION_KEYS"],)))
        account = await store.add(a_login(exp=4_000_000_000, owner=owner_id))
        invited = await accesses.invite(owner_id)
        assert invited is not None
        sid = await accesses.enter(invited[0], agent="")
        await redis.aclose()
        return account, sid

    async def found(url: str, sid: str) -> tuple[list[Account], str, bool]:
        redis = connect(url)
        store = AccountStore(redis, CredentialCipher((environ["ENCRYPTION_KEYS"],)))
        owner = await OwnerStore(redis).get(owner_id)
        inside = await OwnerAccesses(redis, clock=time.time).find(sid)
        accounts = list(await store.list())
        await redis.aclose()
        return accounts, owner.name if owner else "", inside is not None

    account, sid = asyncio.run(fill())
    assert CliRunner().invoke(root, ["backup", file], obj=environ).exit_code == 0
    with RedisServer() as elsewhere:
        there = {**environ, "REDIS_URL": elsewhere.url}
        assert CliRunner().invoke(root, ["restore", file], obj=there).exit_code == 0
        assert asyncio.run(found(elsewhere.url, sid)) == ([account], "Ada", False)
    restored = CliRunner().invoke(root, ["restore", file, "--force"], obj=environ)
    assert restored.exit_code == 0, restored.output
    assert asyncio.run(found(environ["REDIS_URL"], sid)) == ([account], "Ada", True)


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
    assert run(environ, "add", "x" * 101).exit_code == 2


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
