"""`codex-proapi admin …`: the console's password, and tokens for scripts that use its JSON API."""

import sys
import time
from collections.abc import Mapping

import rich_click as click

from codex_proapi.commons.accounts.one_line import MOST_NAME, is_name
from codex_proapi.console.auth.script_tokens import ScriptToken
from codex_proapi.console.cli.key_options import End, Ending, end_of
from codex_proapi.console.cli.opened_store import OpenedStore, with_store
from codex_proapi.console.cli.terminal.json_output import json_option, print_json
from codex_proapi.console.cli.terminal.questions import ask_secret
from codex_proapi.console.cli.terminal.tables import explain, show_table
from codex_proapi.console.cli.terminal.times import heading, moment
from codex_proapi.console.errors import ConsoleError
from codex_proapi.console.server.error_responses import SIGN_IN_PAGE

PORT = 1455
"""Default address of `serve` and of the compose stack."""


@click.group()
def admin() -> None:
    """Administration of the console."""


@admin.command("password")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read it from standard input.")
@json_option
@click.pass_obj
def password(environ: Mapping[str, str], *, from_stdin: bool, as_json: bool) -> None:
    """Set the administrator's password, also a forgotten one; every session ends."""
    if from_stdin:
        provided = sys.stdin.readline().rstrip("\r\n")
    else:
        provided = ask_secret("New password", option="--stdin", repeated=True)

    async def change(store: OpenedStore) -> None:
        await store.administrator.change(provided)
        await store.sessions.end_all()
        await store.note("admin.password_changed")

    try:
        with_store(environ, change)
    except ConsoleError as wrong:
        raise click.ClickException(explain(wrong.code)) from None
    if as_json:
        print_json({"password": "set"})
    else:
        print("the password is set; the console asks for it from now on")


@admin.command("link")
@click.option("--address", help="Where the console is reached; else PUBLIC_URL, else this machine.")
@json_option
@click.pass_obj
def link(environ: Mapping[str, str], address: str | None, *, as_json: bool) -> None:
    """Print a link that signs one browser in, once and within ten minutes, without the password."""

    async def issue(store: OpenedStore) -> str:
        token = await store.sign_in_links.issue()
        await store.note("admin.link_made")
        return token

    token, _ = with_store(environ, issue)
    made = f"{console_address(environ, address).rstrip('/')}{SIGN_IN_PAGE}?link={token}"
    if as_json:
        print_json({"link": made})
    else:
        print(made)


@admin.group("token")
def token() -> None:
    """Admin tokens: what scripts send as `Authorization: Bearer …`."""


@token.command("create")
@click.argument("name")
@click.option("--expires", type=End(), help=f"{End.told}; never without it.")
@json_option
@click.pass_obj
def create(environ: Mapping[str, str], name: str, expires: Ending | None, *, as_json: bool) -> None:
    """Make an admin token called NAME; it is shown this once, on standard output."""
    name = name.strip()
    if not is_name(name):
        told = f"a token needs a name, of {MOST_NAME} characters at most, in one line"
        raise click.BadParameter(told, param_hint="NAME")

    async def make(store: OpenedStore) -> tuple[ScriptToken, str]:
        expires_at = end_of(expires, now=time.time(), calendar=store.calendar)
        token, secret = await store.tokens.create(name, expires_at=expires_at)
        after = {"id": token.id, "name": token.name, "expires_at": token.expires_at}
        await store.note("admin.token_made", after=after)
        return token, secret

    (made, secret), calendar = with_store(environ, make)
    if as_json:
        return print_json({"token": made, "secret": secret}, calendar)
    click.echo(f"created {made.id}", err=True)
    return print(secret)


@token.command("list")
@json_option
@click.pass_obj
def list_tokens(environ: Mapping[str, str], *, as_json: bool) -> None:
    """Every admin token, without the token itself."""
    found, calendar = with_store(environ, lambda store: store.tokens.all())
    if as_json:
        return print_json({"tokens": found}, calendar)
    if not found:
        return print("no admin tokens yet; `codex-proapi admin token create NAME` makes one")
    rows = [
        (
            *(t.id, t.name, f"{t.prefix}…", moment(t.created_at, calendar)),
            moment(t.expires_at, calendar) or "never",
        )
        for t in found
    ]
    times = (heading("CREATED", calendar), heading("ENDS", calendar))
    return show_table(("ID", "NAME", "BEGINS", *times), rows)


@token.command("revoke")
@click.argument("token_id")
@json_option
@click.pass_obj
def revoke(environ: Mapping[str, str], token_id: str, *, as_json: bool) -> None:
    """Take the admin token TOKEN_ID back, everywhere at once."""

    async def take(store: OpenedStore) -> bool:
        revoked = await store.tokens.revoke(token_id)
        if revoked:
            await store.note("admin.token_revoked", before={"id": token_id[:12]})
        return revoked

    if not with_store(environ, take)[0]:
        raise click.ClickException(f"no admin token has the id {token_id}; see `admin token list`")
    if as_json:
        print_json({"id": token_id, "revoked": True})
    else:
        print(f"revoked {token_id}")


def console_address(environ: Mapping[str, str], address: str | None) -> str:
    """Where a browser reaches the console: as told, else PUBLIC_URL, else on this machine."""
    here = f"http://localhost:{environ.get('PORT') or PORT}"
    return address or environ.get("PUBLIC_URL") or here
