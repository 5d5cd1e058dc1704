"""`codex-proapi alerts …`: destinations of alerts. Never prints an address or a stored secret."""

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence

import msgspec
import rich_click as click
from click import prompt

from codex_proapi.commons.runtime.settings import Network, Url, from_environ
from codex_proapi.console.alerts.alert_store import Outcome
from codex_proapi.console.alerts.changed_destinations import (
    DestinationFault,
    Draft,
    made_destination,
)
from codex_proapi.console.alerts.delivery.deliverer import Deliverer
from codex_proapi.console.alerts.destinations import (
    MOST_DESTINATIONS,
    Destination,
    DestinationStore,
    Shape,
)
from codex_proapi.console.alerts.kinds import AlertKind
from codex_proapi.console.cli.opened_store import opened
from codex_proapi.console.cli.tables import moment, plain, show_table
from codex_proapi.console.settings import machine_proxies
from codex_proapi.console.texts.language import Language


class _Reach(msgspec.Struct, frozen=True, kw_only=True):
    """Settings that say how destinations are reached from here."""

    alert_networks: tuple[Network, ...] = ()
    https_proxy: str = ""
    all_proxy: str = ""
    no_proxy: str = ""
    public_url: Url = ""


@click.group()
def alerts() -> None:
    """Where alerts are delivered: add, try, list, remove."""


@alerts.command("list")
@click.pass_obj
def list_destinations(environ: Mapping[str, str]) -> None:
    """Every destination, without its address, and how the last try went."""
    found, outcomes = asyncio.run(_all(environ))
    if not found:
        print("no destinations yet; `codex-proapi alerts add NAME --shape SHAPE` makes one")
        return
    rows = [
        (
            *(one.id, one.name, one.shape.value, one.host),
            ",".join(one.kinds) or "all",
            "on" if one.enabled else "off",
            _said(outcomes.get(one.id)),
        )
        for one in found
    ]
    show_table(("ID", "NAME", "SHAPE", "HOST", "ALERTS", "STATE", "LAST TRY"), rows)


@alerts.command("add")
@click.argument("name")
@click.option("--shape", type=click.Choice([each.value for each in Shape]), required=True)
@click.option(
    "--kind",
    "kinds",
    type=click.Choice([each.value for each in AlertKind]),
    multiple=True,
    help="An alert it gets; may be repeated. Without it all.",
)
@click.option(
    "--language",
    type=click.Choice([each.value for each in Language]),
    default=Language.ENGLISH.value,
)
@click.option("--sender", default="", help="Of e-mail.")
@click.option("--to", "recipients", multiple=True, help="Of e-mail; may be repeated.")
@click.pass_obj
def add(
    environ: Mapping[str, str],
    *,
    name: str,
    shape: str,
    kinds: Sequence[str],
    language: str,
    sender: str,
    recipients: Sequence[str],
) -> None:
    """Add a destination called NAME.

    Its address and secret are asked for, or read from the first two lines of standard input. A secret
    that is made for it is printed this once.
    """
    address, secret = _entered()
    draft = Draft(
        name=name,
        shape=Shape(shape),
        address=address,
        secret=secret,
        sender=sender,
        recipients=tuple(recipients),
        kinds=tuple(AlertKind(kind) for kind in kinds),
        language=Language(language),
    )
    try:
        made, made_secret = asyncio.run(_add(environ, draft))
    except DestinationFault as fault:
        raise click.ClickException(str(fault)) from None
    click.echo(f"created {made.id}", err=True)
    if made_secret:
        print(made_secret)


@alerts.command("test")
@click.argument("destination")
@click.pass_obj
def test(environ: Mapping[str, str], destination: str) -> None:
    """Send a test message to DESTINATION (id or name), from this machine."""
    outcome = asyncio.run(_test(environ, destination))
    if not outcome.delivered:
        raise click.ClickException(f"not delivered: {_said(outcome)}")
    print("delivered")


@alerts.command("remove")
@click.argument("destination")
@click.pass_obj
def remove(environ: Mapping[str, str], destination: str) -> None:
    """Delete DESTINATION (id or name); what waits for it is dropped."""
    print(plain(f"removed {asyncio.run(_remove(environ, destination)).name}"))


def _entered() -> tuple[str, str]:
    if sys.stdin.isatty():
        address = prompt("Address", hide_input=True)
        return address, prompt("Secret (empty for none)", default="", hide_input=True)
    lines = [sys.stdin.readline().strip() for _ in range(2)]
    return lines[0], lines[1]


def _said(outcome: Outcome | None) -> str:
    if outcome is None:
        return "none yet"
    status = f" ({outcome.status})" if outcome.status and not outcome.delivered else ""
    return f"{outcome.code}{status} {moment(outcome.at)}"


async def _all(environ: Mapping[str, str]) -> tuple[list[Destination], dict[str, Outcome]]:
    async with opened(environ) as store:
        return await store.destinations.all(), await store.alerts.outcomes()


async def _add(environ: Mapping[str, str], draft: Draft) -> tuple[Destination, str]:
    async with opened(environ) as store:
        if len(await store.destinations.all()) >= MOST_DESTINATIONS:
            raise click.ClickException(f"there are {MOST_DESTINATIONS} already")
        made, secrets, made_secret = made_destination(draft, now=int(time.time()))
        kept = await store.destinations.put(made, secrets)
        after = {"id": kept.id, "name": kept.name, "host": kept.host}
        await store.note("alert.destination_made", after=after)
        return kept, made_secret


async def _test(environ: Mapping[str, str], wanted: str) -> Outcome:
    names = [name.upper() for name in _Reach.__struct_fields__]
    values = {n: environ[n] for n in (*names, *map(str.lower, names)) if environ.get(n)}
    reach = from_environ(_Reach, values)
    async with opened(environ) as store:
        destination = await _found(store.destinations, wanted)
        deliverer = Deliverer(
            store.destinations,
            machine_proxies(reach.https_proxy or reach.all_proxy, no_proxy=reach.no_proxy),
            allowed=reach.alert_networks,
            console=reach.public_url,
            clock=time.time,
        )
        outcome = await deliverer.test(destination)
        await store.alerts.note(destination.id, outcome)
        code = "" if outcome.delivered else outcome.code
        after = {"id": destination.id, "name": destination.name}
        await store.note("alert.destination_tested", code=code, after=after)
        return outcome


async def _remove(environ: Mapping[str, str], wanted: str) -> Destination:
    async with opened(environ) as store:
        destination = await _found(store.destinations, wanted)
        await store.destinations.remove(destination.id)
        before = {"id": destination.id, "name": destination.name}
        await store.note("alert.destination_removed", before=before)
        return destination


async def _found(destinations: DestinationStore, wanted: str) -> Destination:
    found = [one for one in await destinations.all() if wanted in (one.id, one.name)]
    if len(found) != 1:
        said = "several are" if found else "no destination is"
        raise click.ClickException(f"{said} called {plain(wanted)}; see `alerts list`")
    return found[0]
