"""`codex-proapi owners …`: add, invite, list, sign-out, remove."""

import time
from collections.abc import Mapping

import rich_click as click

from codex_proapi.commons.accounts.one_line import MOST_NAME
from codex_proapi.console.api.owners.records import (
    Invitation,
    OwnerBodies,
    OwnerBody,
    OwnerList,
    entry_link,
)
from codex_proapi.console.cli.admin import console_address
from codex_proapi.console.cli.opened_store import OpenedStore, with_store
from codex_proapi.console.cli.terminal.json_output import json_option, print_json
from codex_proapi.console.cli.terminal.questions import confirm
from codex_proapi.console.cli.terminal.tables import plain, show_table
from codex_proapi.console.cli.terminal.times import heading, moment, told
from codex_proapi.console.owners.owner_access import OwnerAccesses
from codex_proapi.console.owners.owner_store import MOST_OWNERS, OwnerStore, new_owner

ADDRESS = "Where the console is reached; else PUBLIC_URL, else this machine."


@click.group()
def owners() -> None:
    """People who offer accounts of their own, on terms of their own."""


@owners.command("add")
@click.argument("name")
@json_option
@click.pass_obj
def add(environ: Mapping[str, str], name: str, *, as_json: bool) -> None:
    """Add an owner called NAME; `owners invite` lets a browser in."""
    name = " ".join(name.split())
    if not 0 < len(name) <= MOST_NAME:
        told_name = f"an owner needs a name, of {MOST_NAME} characters at most"
        raise click.BadParameter(told_name, param_hint="NAME")

    async def make(store: OpenedStore) -> OwnerBody:
        known = OwnerStore(store.redis)
        if len(await known.all()) >= MOST_OWNERS:
            raise click.ClickException(f"there are {MOST_OWNERS} already")
        owner = new_owner(name, now=int(time.time()))
        await known.put(owner)
        await store.note("owner.added", after={"owner": owner.id, "name": owner.name})
        return await _bodies(store).one(owner.id)

    made, calendar = with_store(environ, make)
    if as_json:
        return print_json(made, calendar)
    return print(plain(f"added {made.name} as {made.id}; `owners invite {made.id}` prints a link"))


@owners.command("invite")
@click.argument("owner")
@click.option("--address", help=ADDRESS)
@json_option
@click.pass_obj
def invite(environ: Mapping[str, str], owner: str, address: str | None, *, as_json: bool) -> None:
    """Print a link that lets one browser in as OWNER (id or name), once, within three days.

    It replaces an earlier link, and ends the session that OWNER has.
    """

    async def make(store: OpenedStore) -> Invitation:
        meant = await _meant(store, owner)
        made = await OwnerAccesses(store.redis, clock=time.time).invite(meant.id)
        if made is None:
            raise click.ClickException(plain(f"{meant.name} was removed just now"))
        token, expires_at = made
        after = {"owner": meant.id, "name": meant.name, "expires_at": expires_at}
        await store.note("owner.invited", after=after)
        link = entry_link(console_address(environ, address), token)
        return Invitation(owner=meant.id, link=link, expires_at=expires_at)

    made, calendar = with_store(environ, make)
    if as_json:
        return print_json(made, calendar)
    click.echo(f"opens until {told(made.expires_at, calendar)}", err=True)
    return print(made.link)


@owners.command("list")
@json_option
@click.pass_obj
def list_owners(environ: Mapping[str, str], *, as_json: bool) -> None:
    """Every owner, with accounts and whether a browser is in."""
    found, calendar = with_store(environ, lambda store: _bodies(store).all())
    if as_json:
        return print_json(OwnerList(owners=found), calendar)
    if not found:
        return print("no owners yet; `codex-proapi owners add NAME` adds one")
    rows = [
        (one.id, one.name, _state(one), moment(one.seen_at, calendar), ",".join(one.accounts))
        for one in found
    ]
    columns = ("ID", "NAME", "STATE", heading("SEEN", calendar), "ACCOUNTS")
    return show_table(columns, rows)


@owners.command("sign-out")
@click.argument("owner")
@json_option
@click.pass_obj
def sign_out(environ: Mapping[str, str], owner: str, *, as_json: bool) -> None:
    """Sign the browser of OWNER (id or name) out, or take back the link that waits."""

    async def end(store: OpenedStore) -> OwnerBody:
        meant = await _meant(store, owner)
        if not await OwnerAccesses(store.redis, clock=time.time).end(meant.id):
            raise click.ClickException(plain(f"{meant.name} has neither a session nor a link"))
        after = {"owner": meant.id, "name": meant.name}
        await store.note("owner.session_ended", after=after)
        return await _bodies(store).one(meant.id)

    ended, calendar = with_store(environ, end)
    if as_json:
        return print_json(ended, calendar)
    return print(plain(f"signed {ended.name} out"))


@owners.command("remove")
@click.argument("owner")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def remove(environ: Mapping[str, str], owner: str, *, yes: bool, as_json: bool) -> None:
    """Remove OWNER (id or name), who must have no accounts any more, with link and session."""
    if not yes:
        confirm(plain(f"Remove {owner}?"), option="--yes")

    async def forget(store: OpenedStore) -> OwnerBody:
        meant = await _meant(store, owner)
        if meant.accounts:
            told_ids = ", ".join(meant.accounts)
            raise click.ClickException(
                plain(f"{meant.name} still has accounts ({told_ids}); remove those first")
            )
        await OwnerStore(store.redis).remove(meant.id)
        await store.note("owner.removed", before={"owner": meant.id, "name": meant.name})
        return meant

    removed, calendar = with_store(environ, forget)
    if as_json:
        return print_json(removed, calendar)
    return print(plain(f"removed {removed.name}"))


def _bodies(store: OpenedStore) -> OwnerBodies:
    return OwnerBodies(
        owners=OwnerStore(store.redis),
        accesses=OwnerAccesses(store.redis, clock=time.time),
        accounts=store.accounts,
        clock=time.time,
    )


def _state(owner: OwnerBody) -> str:
    if owner.signed_in_at:
        return "signed in"
    return "invited" if owner.invitation_ends_at else "no way in"


async def _meant(store: OpenedStore, wanted: str) -> OwnerBody:
    """The owner with an id or name."""
    found = [one for one in await _bodies(store).all() if wanted in (one.id, one.name)]
    if len(found) != 1:
        said = "several owners are" if found else "no owner is"
        raise click.ClickException(plain(f"{said} called {wanted}; see `owners list`"))
    return found[0]
