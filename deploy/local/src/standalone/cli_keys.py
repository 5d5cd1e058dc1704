"""`codex-proapi keys …`: create, list, revoke."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import rich_click as click

from commons.keys import LEAST_WEIGHT, MOST_WEIGHT, ApiKey
from standalone.cli_tables import moment, show_table
from standalone.environment import Start
from standalone.opened_store import opened


@click.group()
def keys() -> None:
    """The API keys clients may use."""


@keys.command("create")
@click.argument("name")
@click.option("--owner", default="", help="Whose it is.")
@click.option(
    "--weight",
    type=click.FloatRange(LEAST_WEIGHT, MOST_WEIGHT),
    default=1.0,
    show_default=True,
    help="Its share when the pool is scarce, beside the other keys'.",
)
@click.pass_obj
def create(environ: Mapping[str, str], name: str, owner: str, weight: float) -> None:
    """Make a key called NAME; it is shown this once, on standard output."""
    key, secret = asyncio.run(_create(Start(environ), name, owner=owner, weight=weight))
    click.echo(f"made {key.id}; from now on no request is served without a key", err=True)
    print(secret)


@keys.command("list")
@click.pass_obj
def list_keys(environ: Mapping[str, str]) -> None:
    """Every key, without the key itself."""
    found = asyncio.run(_all(Start(environ)))
    if not found:
        print("no keys yet; `codex-proapi keys create NAME` makes one")
        return
    rows = [
        (
            k.id,
            k.name,
            k.owner,
            f"{k.prefix}…",
            _state(k),
            moment(k.created_at),
            moment(k.last_used_at),
        )
        for k in found
    ]
    show_table(("ID", "NAME", "OWNER", "BEGINS", "STATE", "MADE", "LAST USED"), rows)


@keys.command("revoke")
@click.argument("key")
@click.pass_obj
def revoke(environ: Mapping[str, str], key: str) -> None:
    """Take KEY (id or name) back, everywhere at once."""
    taken = asyncio.run(_revoke(Start(environ), key))
    print(f"revoked {taken.name} ({taken.id})")


async def _create(start: Start, name: str, **facts: Any) -> tuple[ApiKey, str]:
    async with opened(start) as store:
        return await store.keys.create(name, created_at=int(time.time()), **facts)


async def _all(start: Start) -> Sequence[ApiKey]:
    async with opened(start) as store:
        return await store.keys.list()


async def _revoke(start: Start, wanted: str) -> ApiKey:
    """Revoke the one key a person means."""
    async with opened(start) as store:
        known = await store.keys.list()
        meant = [k for k in known if wanted == k.id or (wanted == k.name and not k.revoked)]
        if not meant:
            raise click.ClickException(f"no key is called {wanted}; see `keys list`")
        if len(meant) > 1:
            ids = ", ".join(key.id for key in meant)
            raise click.ClickException(f"{wanted} may be any of {ids}; say which")
        await store.keys.revoke(meant[0].id)
        return meant[0]


def _state(key: ApiKey) -> str:
    if key.revoked:
        return "revoked"
    return "expired" if key.expired(time.time()) else "active"
