"""Routes of alerts: destinations, what is open, and a test. Addresses and secrets are never shown."""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from litestar import Request, delete, get, patch, post
from litestar.params import JSONBody

from codex_proapi.commons.accounts.one_line import MOST_NAME, NAME_PATTERN
from codex_proapi.console.alerts.alert_store import AlertStore, Outcome
from codex_proapi.console.alerts.changed_destinations import (
    DestinationFault,
    Draft,
    changed_destination,
    made_destination,
)
from codex_proapi.console.alerts.delivery.deliverer import Deliverer
from codex_proapi.console.alerts.destinations import (
    MOST_DESTINATIONS,
    Destination,
    DestinationStore,
    Shape,
)
from codex_proapi.console.alerts.kinds import AlertKind, Subject
from codex_proapi.console.alerts.transitions import AlertState
from codex_proapi.console.auth.audit import Audit, Facts
from codex_proapi.console.auth.request_author import audit_event
from codex_proapi.console.errors import BadRequest, Code, Conflict, NotFound
from codex_proapi.console.metrics import Metrics
from codex_proapi.console.server.dependencies import Injected
from codex_proapi.console.server.parameters import Id
from codex_proapi.console.texts.language import Language

AnyRequest = Request[Any, Any, Any]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_NAME, pattern=NAME_PATTERN)]
Address = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
Entered = Annotated[str, msgspec.Meta(max_length=500)]
Mailbox = Annotated[str, msgspec.Meta(max_length=254)]
Mailboxes = Annotated[tuple[Mailbox, ...], msgspec.Meta(max_length=10)]
Kinds = Annotated[tuple[AlertKind, ...], msgspec.Meta(max_length=20)]


class NewDestination(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A destination to make."""

    name: Name
    shape: Shape
    address: Address
    """`https://…`, or of e-mail `smtp://[user@]host[:port]`, `smtps://…`."""
    secret: Entered = ""
    """Of the signature; of e-mail the password. Empty for `json`: one is made and shown once."""
    sender: Mailbox = ""
    recipients: Mailboxes = ()
    kinds: Kinds = ()
    """Empty is all."""
    language: Language = Language.ENGLISH
    enabled: bool = True


class DestinationChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change; what is left out stays, also address and secret."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    address: Address | msgspec.UnsetType = msgspec.UNSET
    """A new one needs the secret again, unless it has none: it is not sent to another place."""
    secret: Entered | msgspec.UnsetType = msgspec.UNSET
    sender: Mailbox | msgspec.UnsetType = msgspec.UNSET
    recipients: Mailboxes | msgspec.UnsetType = msgspec.UNSET
    kinds: Kinds | msgspec.UnsetType = msgspec.UNSET
    language: Language | msgspec.UnsetType = msgspec.UNSET
    enabled: bool | msgspec.UnsetType = msgspec.UNSET


class DestinationBody(msgspec.Struct, frozen=True, kw_only=True):
    """A destination, without address and secret."""

    id: str
    name: str
    shape: Shape
    host: str
    kinds: tuple[str, ...]
    language: Language
    sender: str
    recipients: tuple[str, ...]
    enabled: bool
    signed: bool
    """Whether it has a secret."""
    created_at: int
    last: Outcome | None
    """How the last try went; null is none yet."""


class MadeDestination(msgspec.Struct, frozen=True, kw_only=True):
    """A destination just made."""

    destination: DestinationBody
    secret: str
    """A secret that was made for it, the only time it is shown; empty where none was."""


class OpenAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that has begun."""

    kind: AlertKind
    subject: Subject
    state: AlertState
    since: int


class AlertsBody(msgspec.Struct, frozen=True, kw_only=True):
    """Destinations, and what is open while there are any."""

    destinations: list[DestinationBody]
    alerts: list[OpenAlert]
    waiting: int
    """Messages that wait for a try."""


@get("/api/alerts", tags=["alerts"])
async def show_alerts(
    destinations: Injected[DestinationStore], alert_store: Injected[AlertStore]
) -> AlertsBody:
    """Destinations, alerts that have begun, and how many messages wait."""
    outcomes = await alert_store.outcomes()
    stored = (await alert_store.alerts()).values()
    return AlertsBody(
        destinations=[body_of(one, outcomes.get(one.id)) for one in await destinations.all()],
        alerts=[
            OpenAlert(kind=each.kind, subject=each.subject, state=each.state, since=each.since)
            for each in sorted(stored, key=lambda each: (each.since, each.key))
        ],
        waiting=len(await alert_store.deliveries()),
    )


@post("/api/alerts/destinations", tags=["alerts"])
async def make_destination(
    *,
    request: AnyRequest,
    data: JSONBody[NewDestination],
    destinations: Injected[DestinationStore],
    audit: Injected[Audit],
    clock: Injected[Callable[[], float]],
) -> MadeDestination:
    """Make a destination; a secret that is made for it is shown here and nowhere else."""
    if len(await destinations.all()) >= MOST_DESTINATIONS:
        raise Conflict(Code.TOO_MANY_DESTINATIONS)
    try:
        made, opened, made_secret = made_destination(
            Draft(**msgspec.structs.asdict(data)), now=int(clock())
        )
    except DestinationFault as fault:
        raise BadRequest(Code.INVALID_VALUE, str(fault), param=fault.param) from None
    kept = await destinations.put(made, opened)
    await audit.note(audit_event(request, "alert.destination_made", after=facts_of(kept)))
    return MadeDestination(destination=body_of(kept, None), secret=made_secret)


@patch("/api/alerts/destinations/{destination_id:str}", tags=["alerts"])
async def change_destination(
    *,
    request: AnyRequest,
    destination_id: Id,
    data: JSONBody[DestinationChange],
    destinations: Injected[DestinationStore],
    audit: Injected[Audit],
) -> DestinationBody:
    """Change a destination."""
    before = await _found(destinations, destination_id)
    changes = {
        name: value
        for name in data.__struct_fields__
        if (value := getattr(data, name)) is not msgspec.UNSET
    }
    try:
        changed, opened = changed_destination(before, destinations.open(before), changes)
    except DestinationFault as fault:
        raise BadRequest(Code.INVALID_VALUE, str(fault), param=fault.param) from None
    kept = await destinations.put(changed, opened)
    await audit.note(
        audit_event(
            request,
            "alert.destination_changed",
            before=facts_of(before),
            after=facts_of(kept),
        )
    )
    return body_of(kept, None)


@delete("/api/alerts/destinations/{destination_id:str}", tags=["alerts"], status_code=204)
async def remove_destination(
    request: AnyRequest,
    destination_id: Id,
    destinations: Injected[DestinationStore],
    audit: Injected[Audit],
) -> None:
    """Delete a destination; what waits for it is dropped."""
    before = await _found(destinations, destination_id)
    await destinations.remove(destination_id)
    await audit.note(audit_event(request, "alert.destination_removed", before=facts_of(before)))


@post("/api/alerts/destinations/{destination_id:str}/test", tags=["alerts"], status_code=200)
async def try_destination(
    *,
    request: AnyRequest,
    destination_id: Id,
    destinations: Injected[DestinationStore],
    alert_store: Injected[AlertStore],
    deliverer: Injected[Deliverer],
    audit: Injected[Audit],
    metrics: Injected[Metrics],
) -> Outcome:
    """Send a test message now, once; `code` is `delivered`, or says why not."""
    destination = await _found(destinations, destination_id)
    outcome = await deliverer.test(destination)
    metrics.alert_deliveries.labels("delivered" if outcome.delivered else "failed").inc()
    await alert_store.note(destination.id, outcome)
    code = "" if outcome.delivered else outcome.code
    await audit.note(
        audit_event(
            request,
            "alert.destination_tested",
            code=code,
            after={"id": destination.id, "name": destination.name},
        )
    )
    return outcome


def body_of(destination: Destination, last: Outcome | None) -> DestinationBody:
    """A destination as it is shown."""
    return DestinationBody(
        last=last,
        **{
            name: getattr(destination, name)
            for name in Destination.__struct_fields__
            if name != "sealed"
        },
    )


def facts_of(destination: Destination) -> Facts:
    """A destination as the audit writes it."""
    return {
        "id": destination.id,
        "name": destination.name,
        "host": destination.host,
        "kinds": ",".join(destination.kinds),
        "enabled": destination.enabled,
    }


async def _found(destinations: DestinationStore, destination_id: str) -> Destination:
    found = await destinations.get(destination_id)
    if found is None:
        raise NotFound(Code.UNKNOWN_DESTINATION)
    return found
