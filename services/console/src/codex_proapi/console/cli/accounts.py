"""`codex-proapi accounts …`: login, import, add-token, list, pause, resume, remove, reseal, terms."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import IO

import rich_click as click

from codex_proapi.commons.accounts.model import PERSONAL_TOKEN, Account, AccountState
from codex_proapi.commons.accounts.one_line import MOST_NAME, is_name
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.console.accounts.auth_json import (
    MAX_BYTES,
    Preview,
    personal_token_in,
    read_auth_json,
)
from codex_proapi.console.accounts.pending_logins import PendingLogin, Way
from codex_proapi.console.cli.lazy_commands import LazyCommand
from codex_proapi.console.cli.opened_store import OpenedStore, opened, with_store
from codex_proapi.console.cli.terminal.json_output import json_option, print_json
from codex_proapi.console.cli.terminal.questions import confirm
from codex_proapi.console.cli.terminal.tables import explain, plain, show_table
from codex_proapi.console.cli.terminal.times import heading, moment
from codex_proapi.console.cli.upstream.login import UpstreamLogin
from codex_proapi.console.cli.upstream.tokens import add_token, keep_account, token_file
from codex_proapi.console.errors import BadAuthFile, ConsoleError


@click.group()
def accounts() -> None:
    """The ChatGPT logins this gateway may spend."""


@accounts.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--name", default="", help="What to call it; else its e-mail address.")
@click.option("--force", is_flag=True, help="Replace a login that no key of ours opens.")
@json_option
@click.pass_obj
def import_account(
    environ: Mapping[str, str], file: IO[bytes], name: str, *, force: bool, as_json: bool
) -> None:
    """Add the account of a Codex `auth.json` (FILE, or - for standard input).

    From then on the login belongs to the gateway: a refresh token works once, so the Codex CLI
    must not go on using the same file.
    """
    if name and not is_name(name):
        told = f"an account's name has {MOST_NAME} characters at most, in one line"
        raise click.BadParameter(told, param_hint="--name")
    told = getattr(file, "name", "-")
    try:
        content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise click.ClickException(f"{told}: cannot be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise click.ClickException(f"{told}: too large for an auth.json")
    try:
        token = personal_token_in(content)
        if token:
            read = token_file(environ, token, name=name)
        else:
            read = read_auth_json(content, now=time.time(), name=name)
    except BadAuthFile as wrong:
        raise click.ClickException(f"{told}: {explain(wrong.code)}") from None
    (known, account), calendar = with_store(
        environ, lambda store: keep_account(store, read, force=force)
    )
    if as_json:
        return print_json({"account": account, "renewed": known}, calendar)
    print(_kept(account, known=known))
    return _note(read.preview)


@accounts.command("login")
@click.argument("account", default="")
@json_option
@click.pass_obj
def login(environ: Mapping[str, str], account: str, *, as_json: bool) -> None:
    """Sign an account in with a code that is entered in a browser anywhere.

    With ACCOUNT (id, name or e-mail) that one signs in again: its name, history and keys stay.
    """
    upstream = UpstreamLogin(environ)

    async def sign_in(store: OpenedStore) -> tuple[bool, Account]:
        again = await meant_account(store.accounts, account) if account else None
        before = {each.id for each in await store.accounts.list()}
        try:
            found = await upstream.sign_in(
                store, account_id=again.id if again else "", show=_show_code
            )
        except ConsoleError as wrong:
            after = {"way": Way.DEVICE.value}
            await store.note("login.failed", code=wrong.code.value, after=after)
            raise click.ClickException(explain(wrong.code)) from None
        await store.note("login.finished", account=found.id, after={"way": Way.DEVICE.value})
        return found.id in before, found

    (known, found), calendar = with_store(environ, sign_in)
    if as_json:
        return print_json({"account": found, "renewed": known}, calendar)
    return print(_kept(found, known=known))


accounts.add_command(add_token)


@accounts.command("list")
@json_option
@click.pass_obj
def list_accounts(environ: Mapping[str, str], *, as_json: bool) -> None:
    """Every account with its state, without its tokens."""
    found, calendar = with_store(environ, lambda store: store.accounts.list())
    if as_json:
        return print_json({"accounts": found}, calendar)
    if not found:
        return print("no accounts yet; `codex-proapi accounts import FILE` adds one")
    rows = [
        (
            a.id,
            a.name,
            a.email,
            a.plan,
            _state(a),
            moment(a.token_expires_at, calendar),
            moment(a.last_used_at, calendar),
        )
        for a in found
    ]
    times = (heading("TOKEN UNTIL", calendar), heading("LAST USED", calendar))
    return show_table(("ID", "NAME", "E-MAIL", "PLAN", "STATE", *times), rows)


@accounts.command("pause")
@click.argument("account")
@json_option
@click.pass_obj
def pause(environ: Mapping[str, str], account: str, *, as_json: bool) -> None:
    """Take ACCOUNT (id, name or e-mail) out of rotation."""
    _change(environ, account, AccountStore.pause, "paused", as_json=as_json)


@accounts.command("resume")
@click.argument("account")
@json_option
@click.pass_obj
def resume(environ: Mapping[str, str], account: str, *, as_json: bool) -> None:
    """Put ACCOUNT (id, name or e-mail) back into rotation."""
    _change(environ, account, AccountStore.resume, "resumed", as_json=as_json)


@accounts.command("remove")
@click.argument("account")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--logout/--no-logout",
    default=True,
    show_default=True,
    help="Also end the login at OpenAI, so that a copy of its tokens is worth nothing.",
)
@json_option
@click.pass_obj
def remove(
    environ: Mapping[str, str], account: str, *, yes: bool, logout: bool, as_json: bool
) -> None:
    """Forget ACCOUNT (id, name or e-mail) and its tokens; its usage figures stay.

    Its login is ended at OpenAI first. Where that fails the account is removed all the same, and a
    note says so.
    """
    upstream = UpstreamLogin(environ) if logout else None
    if not yes:
        confirm(plain(f"Forget {account} and its tokens?"), option="--yes")

    async def forget(store: OpenedStore) -> tuple[Account, bool]:
        meant = await meant_account(store.accounts, account)
        revoked = upstream is not None and await upstream.end(store.accounts, meant.id)
        await store.accounts.remove(meant.id)
        before = {"name": meant.name, "login_revoked": revoked}
        await store.note("account.removed", account=meant.id, before=before)
        return meant, revoked

    (removed, revoked), calendar = with_store(environ, forget)
    if as_json:
        print_json({"account": removed, "login_revoked": revoked}, calendar)
    else:
        print(plain(f"removed {removed.name}{'; its login at OpenAI is ended' if revoked else ''}"))
    if removed.kind == PERSONAL_TOKEN:
        click.echo("note: its access token works until it is deleted in ChatGPT too", err=True)
    elif logout and not revoked:
        told = "its login at OpenAI could not be ended: sign out everywhere in ChatGPT's settings"
        click.echo(f"note: {told}", err=True)


@accounts.command("reseal")
@click.option("--force", is_flag=True, help="Also where the keys are not those of what is stored.")
@json_option
@click.pass_obj
def reseal(environ: Mapping[str, str], *, force: bool, as_json: bool) -> None:
    """Encrypt every credential again under the first of the ENCRYPTION_KEYS.

    Also addresses and secrets of alert destinations.

    After it the other keys are not needed any more. --force is for keys that are lost for good: the
    new ones hold from then on, and accounts whose credential cannot be opened sign in again.
    """
    resealed, known = asyncio.run(_reseal(environ, force=force))
    if as_json:
        print_json({"sealed": resealed, "accounts": known})
    else:
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


def _kept(account: Account, *, known: bool) -> str:
    done = "renewed" if known else "added"
    return plain(f"{done} {account.name} ({account.plan or 'unknown plan'}) as {account.id}")


def _show_code(begun: PendingLogin) -> None:
    """Tell the person what to do with a device code."""
    if begun.device is None:
        return
    minutes = max(1, begun.device.expires_in // 60)
    told = f"open {begun.device.verification_url} and enter {begun.device.user_code}"
    click.echo(plain(f"{told} (within {minutes} min); Ctrl-C gives up"), err=True)


def _note(preview: Preview) -> None:
    """Say what will come of a login that does not last."""
    if preview.kind == PERSONAL_TOKEN:
        print("note: it is a personal access token, used until OpenAI refuses it")
    elif not preview.renewable:
        print("note: the file has no refresh token; the account ends with its access token")
    elif preview.expired:
        print("note: its access token has ended; it is renewed at the first use")


def _change(
    environ: Mapping[str, str],
    wanted: str,
    act: Callable[[AccountStore, str], Awaitable[bool]],
    done: str,
    *,
    as_json: bool,
) -> None:
    """Run an action on the account with an id or name; `done` is its name in the audit log."""

    async def change(store: OpenedStore) -> Account:
        meant = await meant_account(store.accounts, wanted)
        if await act(store.accounts, meant.id):
            await store.note(f"account.{done}", account=meant.id, before={"name": meant.name})
        return await store.accounts.get(meant.id) or meant

    changed, calendar = with_store(environ, change)
    if as_json:
        print_json({"account": changed}, calendar)
    else:
        print(plain(f"{done} {changed.name}"))


async def meant_account(accounts: AccountStore, wanted: str) -> Account:
    """The account with an id, name or e-mail address."""
    known = await accounts.list()
    meant = [a for a in known if wanted in (a.id, a.name, a.email)]
    if not meant:
        raise click.ClickException(plain(f"no account is called {wanted}; see `accounts list`"))
    if len(meant) > 1:
        ids = ", ".join(account.id for account in meant)
        raise click.ClickException(plain(f"{wanted} may be any of {ids}; say which"))
    return meant[0]


def _state(account: Account) -> str:
    if account.state is AccountState.REVOKED:
        return "needs a new token" if account.kind == PERSONAL_TOKEN else "sign in again"
    if account.state is AccountState.DEACTIVATED:
        return f"deactivated ({account.state_reason})"
    if account.state is AccountState.UNKNOWN:
        return "not known to this version"
    return "paused" if account.paused else "active"


accounts.add_command(
    LazyCommand(
        "terms",
        module="codex_proapi.console.cli.terms.commands",
        attribute="terms",
        summary="On which terms an account may be used: hours, a share that stays its owner's, keys, a pause.",
    )
)
accounts.add_command(
    LazyCommand(
        "resets",
        module="codex_proapi.console.cli.resets.commands",
        attribute="list_resets",
        summary="The saved resets of ACCOUNT (id, name or e-mail), read from OpenAI now.",
    )
)
accounts.add_command(
    LazyCommand(
        "redeem-reset",
        module="codex_proapi.console.cli.resets.commands",
        attribute="redeem_reset",
        summary="Redeem RESET, an id that `accounts resets` shows, of ACCOUNT (id, name or e-mail).",
    )
)
