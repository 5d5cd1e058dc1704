"""`codex-proapi alerts …`: destinations of alerts. Never prints an address or a stored secret."""

import sys
import time
from collections.abc import Mapping
from typing import Any

import msgspec
import rich_click as click

from codex_proapi.commons.cluster.live_settings import LiveSettingsStore
from codex_proapi.commons.runtime.settings import Network, Url, from_environ
from codex_proapi.commons.usage.calendar import Calendar
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
from codex_proapi.console.api.alerts import MadeDestination, body_of
from codex_proapi.console.cli.opened_store import OpenedStore, with_store
from codex_proapi.console.cli.terminal.json_output import json_option, print_json
from codex_proapi.console.cli.terminal.questions import ask_secret
from codex_proapi.console.cli.terminal.tables import plain, show_table
from codex_proapi.console.cli.terminal.times import told
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
@json_option
@click.pass_obj
def list_destinations(environ: Mapping[str, str], *, as_json: bool) -> None:
    """Every destination, without its address, and how the last try went."""
    (found, outcomes), calendar = with_store(environ, _all)
    if as_json:
        bodies = [body_of(one, outcomes.get(one.id)) for one in found]
        return print_json({"destinations": bodies}, calendar)
    if not found:
        return print("no destinations yet; `codex-proapi alerts add NAME --shape SHAPE` makes one")
    rows = [
        (
            *(one.id, one.name, one.shape.value, one.host),
            ",".join(one.kinds) or "all",
            "on" if one.enabled else "off",
            _said(outcomes.get(one.id), calendar),
        )
        for one in found
    ]
    return show_table(("ID", "NAME", "SHAPE", "HOST", "ALERTS", "STATE", "LAST TRY"), rows)


@alerts.command("add")
@click.argument("name")
@click.option(
    "--shape",
    type=click.Choice([each.value for each in Shape]),
    required=True,
    help="What it understands.",
)
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
    show_default=True,
    help="Of its messages.",
)
@click.option("--sender", default="", help="Of e-mail.")
@click.option("--to", "recipients", multiple=True, help="Of e-mail; may be repeated.")
@json_option
@click.pass_obj
def add(environ: Mapping[str, str], /, name: str, *, as_json: bool, **provided: Any) -> None:
    """Add a destination called NAME.

    Its address and secret are asked for, or read from the first two lines of standard input. A secret
    that is made for it is printed this once.
    """
    address, secret = _entered()
    draft = Draft(
        name=name,
        shape=Shape(provided["shape"]),
        address=address,
        secret=secret,
        sender=provided["sender"],
        recipients=tuple(provided["recipients"]),
        kinds=tuple(AlertKind(kind) for kind in provided["kinds"]),
        language=Language(provided["language"]),
    )
    try:
        (made, made_secret), calendar = with_store(environ, lambda store: _add(store, draft))
    except DestinationFault as fault:
        raise click.ClickException(str(fault)) from None
    if as_json:
        body = MadeDestination(destination=body_of(made, None), secret=made_secret)
        return print_json(body, calendar)
    click.echo(f"created {made.id}", err=True)
    return print(made_secret) if made_secret else None


@alerts.command("test")
@click.argument("destination")
@json_option
@click.pass_obj
def test(environ: Mapping[str, str], destination: str, *, as_json: bool) -> int:
    """Send a test message to DESTINATION (id or name), from this machine."""
    reach = _reach(environ)
    outcome, calendar = with_store(environ, lambda store: _test(store, reach, destination))
    if as_json:
        print_json(outcome, calendar)
        return int(not outcome.delivered)
    if not outcome.delivered:
        raise click.ClickException(f"not delivered: {_said(outcome, calendar)}")
    print("delivered")
    return 0


@alerts.command("remove")
@click.argument("destination")
@json_option
@click.pass_obj
def remove(environ: Mapping[str, str], destination: str, *, as_json: bool) -> None:
    """Delete DESTINATION (id or name); what waits for it is dropped."""
    removed, calendar = with_store(environ, lambda store: _remove(store, destination))
    if as_json:
        return print_json(body_of(removed, None), calendar)
    return print(plain(f"removed {removed.name}"))


def _entered() -> tuple[str, str]:
    if sys.stdin.isatty():
        address = ask_secret("Address", option="it in a line of standard input")
        told = "Secret (empty for none)"
        return address, ask_secret(told, option="it in a line too", optional=True)
    lines = [sys.stdin.readline().strip() for _ in range(2)]
    return lines[0], lines[1]


def _reach(environ: Mapping[str, str]) -> _Reach:
    names = [name.upper() for name in _Reach.__struct_fields__]
    return from_environ(
        _Reach, {n: environ[n] for n in (*names, *map(str.lower, names)) if environ.get(n)}
    )


def _said(outcome: Outcome | None, calendar: Calendar) -> str:
    if outcome is None:
        return "none yet"
    status = f" ({outcome.status})" if outcome.status and not outcome.delivered else ""
    return f"{outcome.code}{status} {told(outcome.at, calendar)}"


async def _all(store: OpenedStore) -> tuple[list[Destination], dict[str, Outcome]]:
    return await store.destinations.all(), await store.alerts.outcomes()


async def _add(store: OpenedStore, draft: Draft) -> tuple[Destination, str]:
    if len(await store.destinations.all()) >= MOST_DESTINATIONS:
        raise click.ClickException(f"there are {MOST_DESTINATIONS} already")
    made, secrets, made_secret = made_destination(draft, now=int(time.time()))
    kept = await store.destinations.put(made, secrets)
    after = {"id": kept.id, "name": kept.name, "host": kept.host}
    await store.note("alert.destination_made", after=after)
    return kept, made_secret


async def _test(store: OpenedStore, reach: _Reach, wanted: str) -> Outcome:
    destination = await _found(store.destinations, wanted)
    deliverer = Deliverer(
        store.destinations,
        machine_proxies(reach.https_proxy or reach.all_proxy, no_proxy=reach.no_proxy),
        allowed=reach.alert_networks,
        console=reach.public_url,
        clock=time.time,
        read_zone=LiveSettingsStore(store.redis).time_zone,
    )
    outcome = await deliverer.test(destination)
    await store.alerts.note(destination.id, outcome)
    code = "" if outcome.delivered else outcome.code
    after = {"id": destination.id, "name": destination.name}
    await store.note("alert.destination_tested", code=code, after=after)
    return outcome


async def _remove(store: OpenedStore, wanted: str) -> Destination:
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
