"""The settings page: appearance, requests, sessions, tokens, audit, about."""

from collections.abc import Mapping, Sequence

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency

from codex_proapi.commons.api_keys.small_work import WorkClass
from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.commons.cluster.live_settings import (
    MOST_RESERVE,
    HistoryMode,
    KeyPolicy,
    LiveSettings,
    ModelSubstitution,
    ReasoningSummary,
)
from codex_proapi.commons.codex.luna_reserve import LunaReserve
from codex_proapi.commons.redis.keyspace import USAGE_MONTHS
from codex_proapi.commons.usage.calendar import time_zones
from codex_proapi.commons.usage.counters import LEAST_DAYS, MOST_DAYS
from codex_proapi.commons.usage.log_stream import LEAST_LENGTH, LENGTH, MOST_LENGTH
from codex_proapi.console.accounts.model_names import ModelNames, NamesInForce, names_in_force
from codex_proapi.console.accounts.models_seen import SeenModel, load_models
from codex_proapi.console.api.settings import MOST_MONTHS, MOST_STREAMS
from codex_proapi.console.auth.audit import AuditEvent
from codex_proapi.console.auth.identity import identity_of
from codex_proapi.console.auth.script_tokens import ScriptToken
from codex_proapi.console.auth.sessions import Session
from codex_proapi.console.layout.layout import AnyRequest, base_url, page
from codex_proapi.console.pages.models import offered_models
from codex_proapi.console.settings import ConsoleSettings
from codex_proapi.console.texts.events import ACTORS, EVENTS, FIELDS
from codex_proapi.console.texts.phrases import FAULTS, N_
from codex_proapi.console.views.account_list import AccountOverview, load_accounts
from codex_proapi.console.views.sources import Sources

AUDIT_EVENTS = 100
ROUTINGS: Sequence[tuple[Routing, str, str]] = (
    (
        Routing.AFFINITY,
        N_("Conversations stay"),
        N_(
            "A conversation stays on its account while that is healthy, which keeps OpenAI's"
            " prompt cache warm; new ones go round in turn."
        ),
    ),
    (
        Routing.ROUND_ROBIN,
        N_("Strictly in turn"),
        N_("Each request goes to the next account; the prompt cache is used less."),
    ),
    (
        Routing.LEAST_USED,
        N_("Most left first"),
        N_("New conversations go to the account with the most quota left."),
    ),
    (
        Routing.DRAIN_SOONEST,
        N_("Soonest reset first"),
        N_("New conversations use up the window that resets soonest."),
    ),
)
HISTORIES: Sequence[tuple[HistoryMode, str, str]] = (
    (
        HistoryMode.STRUCTURED,
        N_("Structured"),
        N_("Roles, tools and images are kept as they are."),
    ),
    (
        HistoryMode.TRANSCRIPT,
        N_("Transcript"),
        N_("The whole history is sent as one text, for tools that expect that."),
    ),
)
RESERVES: Sequence[tuple[LunaReserve, str, str]] = (
    (LunaReserve.OFF, N_("Not used"), N_("OpenAI is not asked for it.")),
    (
        LunaReserve.LUNA,
        N_("For requests for Luna"),
        N_("While no account can serve them otherwise."),
    ),
    (
        LunaReserve.FALLBACK,
        N_("Also in place of other models"),
        N_("As the last step, after their fallbacks; not for keys without fallbacks."),
    ),
)
SUBSTITUTIONS: Sequence[tuple[ModelSubstitution, str, str]] = (
    (
        ModelSubstitution.ACCEPT,
        N_("Accept its answer"),
        N_("It is marked in the log, and the account rests for that model."),
    ),
    (
        ModelSubstitution.RETRY,
        N_("Ask another account"),
        N_("Once for each request; the answer that had begun is paid for."),
    ),
)
POLICIES: Sequence[tuple[KeyPolicy, str, str]] = (
    (KeyPolicy.REQUIRED, N_("Always needed"), N_("Requests without a key are refused.")),
    (
        KeyPolicy.OPEN,
        N_("Open until the first key"),
        N_("Any key is accepted until the first one is created."),
    ),
)


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One signed-in browser."""

    id: str
    agent: str
    ip: str
    seen_at: float
    current: bool


class AuditEventRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the audit."""

    at: float
    label: str
    """What was done, untranslated; empty when only the name is known."""
    action: str
    target: str
    changes: tuple[tuple[str, str | bool, str | bool], ...]
    """What changed: its name, untranslated, and what it was and is."""
    actor: str
    """Who, untranslated; a script token as `token:` and its name."""
    ip: str
    code: str
    fault: str
    """Why it failed, untranslated; empty when only the code is known."""


class SettingsView(msgspec.Struct, frozen=True, kw_only=True):
    """All the page shows."""

    live: LiveSettings
    aliases: str
    fallbacks: str
    small_work: str
    """The model aliases, one `name = model` a line."""
    models: list[str]
    unserved: list[str]
    """Models that settings name and no account is known to serve."""
    routings: Sequence[tuple[Routing, str, str]] = ROUTINGS
    histories: Sequence[tuple[HistoryMode, str, str]] = HISTORIES
    substitutions: Sequence[tuple[ModelSubstitution, str, str]] = SUBSTITUTIONS
    reserves: Sequence[tuple[LunaReserve, str, str]] = RESERVES
    policies: Sequence[tuple[KeyPolicy, str, str]] = POLICIES
    summaries: tuple[str, ...] = tuple(ReasoningSummary)
    work_classes: tuple[str, ...] = tuple(WorkClass)
    most_reserve: int = int(MOST_RESERVE)
    most_streams: int = MOST_STREAMS
    time_zones: Sequence[str]
    """Names to choose the team's zone from."""
    least_days: int = LEAST_DAYS
    most_days: int = MOST_DAYS
    most_months: int = MOST_MONTHS
    usual_months: int = USAGE_MONTHS
    least_entries: int = LEAST_LENGTH
    most_entries: int = MOST_LENGTH
    usual_entries: int = LENGTH
    facts: tuple[tuple[str, str], ...]
    """What comes from the environment: names and values."""
    base_url: str
    proxy: str
    """The proxy on the way to the backend, without its password; empty for none."""
    sessions: tuple[SessionRow, ...]
    tokens: Sequence[ScriptToken]
    audit: tuple[AuditEventRow, ...]


@get("/settings", opt={"page": True}, include_in_schema=False)
async def settings_page(request: AnyRequest, sources: NamedDependency[Sources]) -> Response[str]:
    """Everything that can be set, and who set it."""
    overview = await load_accounts(sources)
    live = await sources.live_settings.read()
    own = identity_of(request.scope).session
    settings = sources.settings
    models = await offered_models(sources, overview)
    view = SettingsView(
        live=live,
        unserved=unserved(
            live,
            await load_models(sources.redis, [row.id for row in overview.rows], hidden=True),
            names_in_force(live, await sources.replicas.all()),
        ),
        aliases=_lines(live.model_aliases),
        fallbacks=_lines(live.model_fallbacks),
        small_work=_lines(live.small_work_models),
        models=models,
        facts=(
            ("PUBLIC_URL", settings.public_url),
            ("OAUTH_REDIRECT_URI", settings.redirect_uri),
            ("TRUSTED_PROXIES", ", ".join(map(str, settings.trusted_proxies))),
            ("CODEX_BASE_URL", settings.codex_base_url),
            ("CODEX_AUTH_URL", settings.codex_auth_url),
            ("CODEX_CLIENT_VERSION", settings.codex_client_version),
        ),
        time_zones=time_zones(),
        base_url=base_url(request, sources),
        proxy=_proxy(settings),
        sessions=tuple(session_row(s, own=own) for s in await sources.sessions.all()),
        tokens=await sources.script_tokens.all(),
        audit=await _audit(sources, overview),
    )
    return await page(request, sources, overview, "settings.html", view=view)


def _proxy(settings: ConsoleSettings) -> str:
    found = settings.proxy_rules.proxy_for_url(settings.codex_base_url)
    return found.name if found else ""


def unserved(live: LiveSettings, seen: Sequence[SeenModel], known: NamesInForce) -> list[str]:
    """Models that the settings name and that no account is known to serve; none while none is known."""
    named = {live.default_model or "", *(live.model_aliases or {}).values()}
    names = ModelNames(seen, aliases=known.aliases, complete=known.complete)
    return sorted(names.unresolved(named))


def _lines(pairs: Mapping[str, str] | None) -> str:
    """Pairs as a form shows them."""
    return "\n".join(f"{name} = {model}" for name, model in (pairs or {}).items())


async def _audit(sources: Sources, overview: AccountOverview) -> tuple[AuditEventRow, ...]:
    events = [kept.event for kept in await sources.audit.page(count=AUDIT_EVENTS)]
    names = {row.id: row.name for row in overview.rows}
    names |= await sources.keys.names({event.key_id for event in events if event.key_id})
    return tuple(audit_event_row(event, names) for event in events)


def session_row(session: Session, *, own: Session | None) -> SessionRow:
    """One session as the page shows it."""
    return SessionRow(
        id=session.id,
        agent=browser_of(session.agent),
        ip=session.ip,
        seen_at=session.seen_at,
        current=own is not None and own.id == session.id,
    )


def browser_of(agent: str) -> str:
    """A browser's user agent in two words; empty when it is none we know."""
    browsers = ("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome")
    systems = (
        *(("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad")),
        *(("Windows", "Windows"), ("Mac OS X", "macOS"), ("Linux", "Linux")),
    )
    browser = next((name for mark, name in (*browsers, ("Safari/", "Safari")) if mark in agent), "")
    system = next((name for mark, name in systems if mark in agent), "")
    return " · ".join(filter(None, (browser, system)))


def audit_event_row(event: AuditEvent, names: dict[str, str]) -> AuditEventRow:
    """One event as the page shows it: the target by its name, what changed in short."""
    target = event.account or event.key_id
    changes = tuple(
        (FIELDS.get(name, name), _display_value(event.before[name]), _display_value(value))
        for name, value in event.after.items()
        if name in event.before
    )
    return AuditEventRow(
        at=event.at,
        label=EVENTS.get(event.action, ""),
        action=event.action,
        target=names.get(
            target, str(event.after.get("name") or event.before.get("name") or target)
        ),
        changes=changes,
        actor=ACTORS.get(event.actor, event.actor),
        ip=event.ip,
        code=event.code,
        fault=FAULTS.get(event.code, ""),
    )


def _display_value(value: str | float) -> str | bool:
    """A value of the audit as the page shows it: a figure without a needless fraction."""
    if isinstance(value, bool):  # a number, too
        return value
    return f"{value:g}" if isinstance(value, float) else str(value) or "–"
