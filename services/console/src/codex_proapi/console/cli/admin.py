"""`codex-proapi admin …`: the console's password, and tokens for scripts that use its JSON API."""

import asyncio
import sys
from collections.abc import Mapping, Sequence

import rich_click as click
from click import prompt

from codex_proapi.console.auth.script_tokens import ScriptToken
from codex_proapi.console.cli.opened_store import opened
from codex_proapi.console.cli.tables import explain, moment, show_table
from codex_proapi.console.errors import ConsoleError
from codex_proapi.console.server.error_responses import SIGN_IN_PAGE

PORT = 1455
"""Default address of `serve` and of the compose stack."""


@click.group()
def admin() -> None:
    """Administration of the console."""


@admin.command("password")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read it from standard input.")
@click.pass_obj
def password(environ: Mapping[str, str], *, from_stdin: bool) -> None:
    """Set the administrator's password, also a forgotten one; every session ends."""
    if from_stdin:
        provided = sys.stdin.readline().rstrip("\n")
    else:
        provided = prompt("New password", hide_input=True, confirmation_prompt=True)
    try:
        asyncio.run(_set_password(environ, provided))
    except ConsoleError as wrong:
        raise click.ClickException(explain(wrong.code)) from None
    print("the password is set; the console asks for it from now on")


@admin.command("link")
@click.option("--address", help="Where the console is reached; else PUBLIC_URL, else this machine.")
@click.pass_obj
def link(environ: Mapping[str, str], address: str | None) -> None:
    """Print a link that signs one browser in, once and within ten minutes, without the password."""
    token = asyncio.run(_link(environ))
    base = address or environ.get("PUBLIC_URL") or f"http://localhost:{environ.get('PORT') or PORT}"
    print(f"{base.rstrip('/')}{SIGN_IN_PAGE}?link={token}")


@admin.group("token")
def token() -> None:
    """Admin tokens: what scripts send as `Authorization: Bearer …`."""


@token.command("create")
@click.argument("name")
@click.pass_obj
def create(environ: Mapping[str, str], name: str) -> None:
    """Make an admin token called NAME; it is shown this once, on standard output."""
    made, secret = asyncio.run(_create(environ, name))
    click.echo(f"created {made.id}", err=True)
    print(secret)


@token.command("list")
@click.pass_obj
def list_tokens(environ: Mapping[str, str]) -> None:
    """Every admin token, without the token itself."""
    found = asyncio.run(_all(environ))
    if not found:
        print("no admin tokens yet; `codex-proapi admin token create NAME` makes one")
        return
    rows = [(t.id, t.name, f"{t.prefix}…", moment(t.created_at)) for t in found]
    show_table(("ID", "NAME", "BEGINS", "CREATED"), rows)


@token.command("revoke")
@click.argument("token_id")
@click.pass_obj
def revoke(environ: Mapping[str, str], token_id: str) -> None:
    """Take the admin token TOKEN_ID back, everywhere at once."""
    if not asyncio.run(_revoke(environ, token_id)):
        raise click.ClickException(f"no admin token has the id {token_id}; see `admin token list`")
    print(f"revoked {token_id}")


async def _set_password(environ: Mapping[str, str], provided: str) -> None:
    async with opened(environ) as store:
        await store.administrator.change(provided)
        await store.sessions.end_all()
        await store.note("admin.password_changed")


async def _link(environ: Mapping[str, str]) -> str:
    async with opened(environ) as store:
        token = await store.sign_in_links.issue()
        await store.note("admin.link_made")
        return token


async def _create(environ: Mapping[str, str], name: str) -> tuple[ScriptToken, str]:
    async with opened(environ) as store:
        token, secret = await store.tokens.create(name)
        await store.note("admin.token_made", after={"id": token.id, "name": token.name})
        return token, secret


async def _all(environ: Mapping[str, str]) -> Sequence[ScriptToken]:
    async with opened(environ) as store:
        return await store.tokens.all()


async def _revoke(environ: Mapping[str, str], token_id: str) -> bool:
    async with opened(environ) as store:
        revoked = await store.tokens.revoke(token_id)
        if revoked:
            await store.note("admin.token_revoked", before={"id": token_id[:12]})
        return revoked
