"""`codex-proapi accounts add-token`: add an account by a personal access token, or replace it."""

import asyncio
import sys
import time
from collections.abc import Mapping

import rich_click as click

from codex_proapi.commons.accounts.model import Account
from codex_proapi.commons.runtime.errors import CredentialLocked
from codex_proapi.console.accounts.auth_json import AuthFile
from codex_proapi.console.cli.key_options import End, Ending, end_of
from codex_proapi.console.cli.opened_store import OpenedStore, with_store
from codex_proapi.console.cli.terminal.json_output import json_option, print_json
from codex_proapi.console.cli.terminal.questions import ask_secret
from codex_proapi.console.cli.terminal.tables import explain, plain
from codex_proapi.console.cli.upstream.login import UpstreamLogin
from codex_proapi.console.errors import ConsoleError


@click.command("add-token")
@click.option(
    "--access-token-stdin", "from_stdin", is_flag=True, help="Read it from standard input."
)
@click.option("--name", default="", help="What to call the account; else its e-mail address.")
@click.option("--expires", type=End(), help=f"Its end, where you set one; it is shown. {End.told}.")
@click.option("--force", is_flag=True, help="Replace a login that no key of ours opens.")
@json_option
@click.pass_obj
def add_token(
    environ: Mapping[str, str],
    /,
    *,
    from_stdin: bool,
    name: str,
    expires: Ending | None,
    force: bool,
    as_json: bool,
) -> None:
    """Add the account of a personal access token `at-…`, or replace the token it has.

    The owner of a ChatGPT workspace lets its members make such tokens. OpenAI is asked whose it is;
    it is never renewed, and used until OpenAI refuses it.
    """
    upstream = UpstreamLogin(environ)
    if from_stdin:
        token = sys.stdin.readline().strip()
    else:
        token = ask_secret("Access token", option="--access-token-stdin")

    async def keep(store: OpenedStore) -> tuple[bool, Account]:
        ends = end_of(expires, now=time.time(), calendar=store.calendar)
        return await keep_account(
            store, await asked_owner(upstream, token, name=name, expires_at=ends), force=force
        )

    (known, account), calendar = with_store(environ, keep)
    if as_json:
        return print_json({"account": account, "renewed": known}, calendar)
    done = "renewed" if known else "added"
    return print(plain(f"{done} {account.name} ({account.plan or 'unknown plan'}) as {account.id}"))


def token_file(environ: Mapping[str, str], token: str, *, name: str) -> AuthFile:
    """The account of a personal access token that an auth.json holds."""
    return asyncio.run(asked_owner(UpstreamLogin(environ), token, name=name))


async def asked_owner(
    upstream: UpstreamLogin, token: str, *, name: str, expires_at: int = 0
) -> AuthFile:
    """The account of a personal access token; ClickException says what is wrong with it."""
    try:
        return await upstream.read_token(token, name=name, expires_at=expires_at)
    except ConsoleError as wrong:
        raise click.ClickException(explain(wrong.code)) from None


async def keep_account(store: OpenedStore, file: AuthFile, *, force: bool) -> tuple[bool, Account]:
    """Keep an account; whether it was there before, and the account."""
    before = {account.id for account in await store.accounts.list()}
    try:
        account = await store.accounts.add(file.account, replace_locked=force)
    except CredentialLocked as locked:
        raise click.ClickException(
            f"{locked} Set ENCRYPTION_KEYS as the gateways have it; if that key is lost, "
            "--force replaces the login."
        ) from None
    known = account.id in before
    await store.note(
        "account.renewed" if known else "account.added",
        account=account.id,
        after={"name": account.name, "plan": account.plan, "source": account.source},
    )
    return known, account
