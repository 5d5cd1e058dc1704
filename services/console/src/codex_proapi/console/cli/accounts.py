"""`codex-proapi accounts …`: import, list, pause, resume, remove, reseal."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import IO

import msgspec
import rich_click as click

from codex_proapi.commons.accounts.model import Account, AccountState, NewAccount
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.runtime.errors import CredentialLocked
from codex_proapi.console.accounts.auth_json import MAX_BYTES, read_auth_json
from codex_proapi.console.cli.opened_store import opened
from codex_proapi.console.cli.tables import explain, moment, plain, show_table
from codex_proapi.console.errors import BadAuthFile


@click.group()
def accounts() -> None:
    """The ChatGPT logins this gateway may spend."""


@accounts.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--name", default="", help="What to call it; else its e-mail address.")
@click.option("--force", is_flag=True, help="Replace a login that no key of ours opens.")
@click.pass_obj
def import_account(environ: Mapping[str, str], file: IO[bytes], name: str, *, force: bool) -> None:
    """Add the account of a Codex `auth.json` (FILE, or - for standard input).

    From then on the login belongs to the gateway: a refresh token works once, so the Codex CLI
    must not go on using the same file.
    """
    content = file.read(MAX_BYTES + 1)
    told = getattr(file, "name", "-")
    if len(content) > MAX_BYTES:
        raise click.ClickException(f"{told}: too large for an auth.json")
    try:
        read = read_auth_json(content, now=time.time(), name=name)
    except BadAuthFile as wrong:
        raise click.ClickException(f"{told}: {explain(wrong.code)}") from None
    known, account = asyncio.run(_add(environ, read.account, force=force))
    done = "renewed" if known else "added"
    print(plain(f"{done} {account.name} ({account.plan or 'unknown plan'}) as {account.id}"))
    if not read.preview.renewable:
        print("note: the file has no refresh token; the account ends with its access token")
    elif read.preview.expired:
        print("note: its access token has ended; it is renewed at the first use")


@accounts.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON, without tokens.")
@click.pass_obj
def list_accounts(environ: Mapping[str, str], *, as_json: bool) -> None:
    """Every account with its state."""
    found = asyncio.run(_all(environ))
    if as_json:
        print(msgspec.json.format(msgspec.json.encode({"accounts": found})).decode())
        return
    if not found:
        print("no accounts yet; `codex-proapi accounts import FILE` adds one")
        return
    rows = [
        (
            a.id,
            a.name,
            a.email,
            a.plan,
            _state(a),
            moment(a.token_expires_at),
            moment(a.last_used_at),
        )
        for a in found
    ]
    show_table(("ID", "NAME", "E-MAIL", "PLAN", "STATE", "TOKEN UNTIL", "LAST USED"), rows)


@accounts.command("pause")
@click.argument("account")
@click.pass_obj
def pause(environ: Mapping[str, str], account: str) -> None:
    """Take ACCOUNT (id, name or e-mail) out of rotation."""
    changed = asyncio.run(_change(environ, account, AccountStore.pause, "account.paused"))
    print(plain(f"paused {changed.name}"))


@accounts.command("resume")
@click.argument("account")
@click.pass_obj
def resume(environ: Mapping[str, str], account: str) -> None:
    """Put ACCOUNT (id, name or e-mail) back into rotation."""
    changed = asyncio.run(_change(environ, account, AccountStore.resume, "account.resumed"))
    print(plain(f"resumed {changed.name}"))


@accounts.command("remove")
@click.argument("account")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(environ: Mapping[str, str], account: str, *, yes: bool) -> None:
    """Forget ACCOUNT (id, name or e-mail) and its tokens; its usage figures stay."""
    if not yes:
        click.confirm(f"Forget {account} and its tokens?", abort=True)
    changed = asyncio.run(_change(environ, account, AccountStore.remove, "account.removed"))
    print(plain(f"removed {changed.name}"))


@accounts.command("reseal")
@click.option("--force", is_flag=True, help="Also where the keys are not those of what is stored.")
@click.pass_obj
def reseal(environ: Mapping[str, str], *, force: bool) -> None:
    """Encrypt every credential again under the first of the ENCRYPTION_KEYS.

    Also addresses and secrets of alert destinations.

    After it the other keys are not needed any more. --force is for keys that are lost for good: the
    new ones hold from then on, and accounts whose credential cannot be opened sign in again.
    """
    resealed, known = asyncio.run(_reseal(environ, force=force))
    print(f"sealed {resealed} of {known} credentials under the first encryption key")
    if resealed < known and not force:
        raise click.ClickException(
            f"{known - resealed} could not be opened by any of the keys: give the missing key, "
            "or remove those accounts and sign them in again"
        )


async def _reseal(environ: Mapping[str, str], *, force: bool) -> tuple[int, int]:
    async with opened(environ, any_keys=force) as store:
        known = await store.accounts.list()
        resealed = await store.accounts.reseal()
        await store.destinations.reseal()
        await store.check.reseal()
        await store.note("account.resealed", after={"resealed": resealed, "known": len(known)})
        return resealed, len(known)


async def _add(environ: Mapping[str, str], new: NewAccount, *, force: bool) -> tuple[bool, Account]:
    """Keep a login; whether its account was there before, and the account."""
    async with opened(environ) as store:
        before = {account.id for account in await store.accounts.list()}
        try:
            account = await store.accounts.add(new, replace_locked=force)
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


async def _all(environ: Mapping[str, str]) -> Sequence[Account]:
    async with opened(environ) as store:
        return await store.accounts.list()


async def _change(
    environ: Mapping[str, str],
    wanted: str,
    act: Callable[[AccountStore, str], Awaitable[bool]],
    action: str,
) -> Account:
    """Run an action on the account with an id or name; `action` is its name in the audit log."""
    async with opened(environ) as store:
        known = await store.accounts.list()
        meant = [a for a in known if wanted in (a.id, a.name, a.email)]
        if not meant:
            raise click.ClickException(f"no account is called {wanted}; see `accounts list`")
        if len(meant) > 1:
            ids = ", ".join(account.id for account in meant)
            raise click.ClickException(f"{wanted} may be any of {ids}; say which")
        if await act(store.accounts, meant[0].id):
            await store.note(action, account=meant[0].id, before={"name": meant[0].name})
        return meant[0]


def _state(account: Account) -> str:
    if account.state is AccountState.REVOKED:
        return "sign in again"
    if account.state is AccountState.DEACTIVATED:
        return f"deactivated ({account.state_reason})"
    if account.state is AccountState.UNKNOWN:
        return "not known to this version"
    return "paused" if account.paused else "active"
