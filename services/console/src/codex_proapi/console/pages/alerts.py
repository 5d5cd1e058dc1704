"""The page of alerts: what is open, where it is told, and when."""

from collections.abc import Mapping

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency

from codex_proapi.commons.cluster.live_settings import LiveSettings
from codex_proapi.console.alerts.alert_store import AlertStore
from codex_proapi.console.alerts.conditions import BACKUP_DAYS, WINDOW_PERCENT
from codex_proapi.console.alerts.delivery.messages import KINDS
from codex_proapi.console.alerts.destinations import DestinationStore, Shape
from codex_proapi.console.alerts.kinds import AlertKind
from codex_proapi.console.alerts.transitions import Alert, AlertState
from codex_proapi.console.api.alerts import DestinationBody, body_of
from codex_proapi.console.layout.layout import AnyRequest, page
from codex_proapi.console.texts.language import Language
from codex_proapi.console.texts.phrases import N_
from codex_proapi.console.views.account_list import load_accounts
from codex_proapi.console.views.sources import Sources

SHAPES: Mapping[Shape, str] = {
    Shape.JSON: N_("Webhook (JSON)"),
    Shape.SLACK: "Slack",
    Shape.FEISHU: N_("Feishu / Lark"),
    Shape.DINGTALK: N_("DingTalk"),
    Shape.EMAIL: N_("E-mail"),
}
OUTCOMES: Mapping[str, str] = {
    "delivered": N_("delivered"),
    "address_refused": N_("the address is inside the network, which is not allowed"),
    "insecure_refused": N_("without TLS only allowed addresses inside the network are used"),
    "host_unknown": N_("the host has no address"),
    "timeout": N_("no answer in time"),
    "proxy_failed": N_("the proxy failed"),
    "unreachable": N_("no connection, or TLS failed"),
    "redirected": N_("it redirects elsewhere, which is not followed"),
    "receiver_refused": N_("the receiver refused it: check address, secret and key words"),
    "sealed": N_("no encryption key opens its address: enter it again"),
    "smtp_sign_in_refused": N_("the mail server refused name or password"),
    "smtp_refused": N_("the mail server refused the message"),
}
"""How a try went, in words; other codes (`http_404`) are shown as they are."""


class DestinationRow(msgspec.Struct, frozen=True, kw_only=True):
    """One destination, ready to be shown."""

    body: DestinationBody
    shape: str
    """What it is, untranslated."""
    kinds: tuple[str, ...]
    """What it gets, untranslated; empty is all."""
    outcome: str
    """How the last try went, untranslated; empty is none yet, or a code without words."""
    form: str
    """What its form begins with, as JSON."""


class AlertsView(msgspec.Struct, frozen=True, kw_only=True):
    """All the page shows."""

    rows: tuple[DestinationRow, ...]
    alerts: tuple[Alert, ...]
    waiting: int
    networks: str
    live: LiveSettings
    window_percent: float = WINDOW_PERCENT
    backup_days: int = BACKUP_DAYS
    kinds: Mapping[AlertKind, str]
    shapes: Mapping[Shape, str]
    languages: tuple[Language, ...] = tuple(Language)


@get("/alerts", opt={"page": True}, include_in_schema=False)
async def alerts_page(
    request: AnyRequest,
    sources: NamedDependency[Sources],
    destinations: NamedDependency[DestinationStore],
    alert_store: NamedDependency[AlertStore],
) -> Response[str]:
    """Destinations and open alerts."""
    overview = await load_accounts(sources)
    outcomes = await alert_store.outcomes()
    stored = (await alert_store.alerts()).values()
    view = AlertsView(
        rows=tuple(row_of(body_of(one, outcomes.get(one.id))) for one in await destinations.all()),
        alerts=tuple(
            sorted(
                (each for each in stored if each.state is not AlertState.PENDING),
                key=lambda each: (each.since, each.key),
            )
        ),
        waiting=len(await alert_store.deliveries()),
        networks=", ".join(map(str, sources.settings.alert_networks)),
        live=await sources.live_settings.read(),
        kinds=KINDS,
        shapes=SHAPES,
    )
    return await page(request, sources, overview, "alerts.html", view=view)


def row_of(body: DestinationBody) -> DestinationRow:
    """One destination as the page shows it."""
    known = {kind.value: label for kind, label in KINDS.items()}
    form = {
        name: getattr(body, name)
        for name in ("id", "name", "shape", "kinds", "language", "sender", "recipients", "enabled")
    }
    return DestinationRow(
        body=body,
        shape=SHAPES[body.shape],
        kinds=tuple(known[kind] for kind in body.kinds if kind in known),
        outcome=OUTCOMES.get(body.last.code, "") if body.last else "",
        form=msgspec.json.encode(form).decode(),
    )
