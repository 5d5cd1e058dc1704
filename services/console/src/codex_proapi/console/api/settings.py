"""Routes of the settings: those of this process, and those that can be changed while running."""

from collections.abc import Callable, Container
from typing import Annotated, Any

import msgspec
from litestar import Request, get, patch
from litestar.params import JSONBody

from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.commons.cluster.live_settings import (
    HistoryMode,
    KeyPolicy,
    LiveSettings,
    LiveSettingsStore,
    ModelSubstitution,
    ReasoningSummary,
    Reserve,
)
from codex_proapi.commons.codex.luna_reserve import LunaReserve
from codex_proapi.commons.usage.calendar import calendar_of, time_zones
from codex_proapi.commons.usage.counters import LEAST_DAYS, MOST_DAYS
from codex_proapi.commons.usage.log_stream import LEAST_LENGTH, LENGTH, MOST_LENGTH, LogStream
from codex_proapi.commons.usage.packing import Retention, UsagePacker
from codex_proapi.console.api.model_check import CheckedSettings
from codex_proapi.console.auth.audit import Audit
from codex_proapi.console.auth.request_author import audit_event
from codex_proapi.console.errors import BadRequest, Code
from codex_proapi.console.server.dependencies import Injected
from codex_proapi.console.server.middleware import origin_of
from codex_proapi.console.settings import ConsoleSettings

Clock = Callable[[], float]
AnyRequest = Request[Any, Any, Any]
Model = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Aliases = Annotated[dict[Model, Model], msgspec.Meta(max_length=200)]
Models = Annotated[tuple[Model, ...], msgspec.Meta(max_length=200)]
PollSeconds = Annotated[int, msgspec.Meta(ge=60, le=3600)]
MOST_STREAMS = 1000
Streams = Annotated[int, msgspec.Meta(ge=0, le=MOST_STREAMS)]
Percent = Annotated[float, msgspec.Meta(ge=0, le=100)]
Zone = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
BackupDays = Annotated[int, msgspec.Meta(ge=0, le=3650)]
Days = Annotated[int, msgspec.Meta(ge=LEAST_DAYS, le=MOST_DAYS)]


LogEntries = Annotated[int, msgspec.Meta(ge=LEAST_LENGTH, le=MOST_LENGTH)]
MOST_MONTHS = 120
Months = Annotated[int, msgspec.Meta(ge=0, le=MOST_MONTHS)]


class LiveBody(msgspec.Struct, frozen=True, kw_only=True):
    """What was changed while running; null is the value of the gateway's environment."""

    routing: Routing | None
    quota_reserve: float | None
    account_streams: int | None
    fair_share_below: float | None
    default_model: str | None
    model_aliases: dict[str, str] | None
    model_fallbacks: dict[str, str] | None
    """Models that serve where no account can serve others for a while."""
    small_work_models: dict[str, str] | None
    """Models by class of small work."""
    history_mode: HistoryMode | None
    reasoning_summary: ReasoningSummary | None
    model_substitution: ModelSubstitution | None
    """What happens to an answer that another model gives than was sent."""
    luna_reserve: LunaReserve | None
    """Whether accounts' reserves serve while their ordinary windows are shut."""
    api_key_policy: KeyPolicy | None
    disabled_models: tuple[str, ...] | None
    time_zone: str | None
    """IANA name of the zone whose days and months usage and budgets count by; null is UTC."""
    usage_days: int | None
    """How long usage is kept by day; null is 400."""
    usage_months: int | None
    """How long sums of months are kept, never shorter than the days; null is 36."""
    log_entries: int | None
    """About how many entries the log keeps; null is 10,000."""
    quota_poll_seconds: int | None
    """Time between two questions about the quota of an account that no answer tells of."""
    alert_window_percent: float | None
    alert_backup_days: int | None


class FixedBody(msgspec.Struct, frozen=True, kw_only=True):
    """What this process was started with; no secret."""

    public_url: str
    redirect_uri: str
    """The redirect address of browser logins in force for this visitor."""
    base_url: str
    """What clients are configured with, as this visitor reaches us."""
    trusted_proxies: tuple[str, ...]
    codex_base_url: str
    codex_auth_url: str
    codex_client_version: str
    codex_originator: str
    log_level: str


class SettingsBody(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting people may see."""

    live: LiveBody
    fixed: FixedBody


class SettingsChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change; null goes back to the gateway's environment, what is left out stays."""

    routing: Routing | msgspec.UnsetType | None = msgspec.UNSET
    quota_reserve: Reserve | msgspec.UnsetType | None = msgspec.UNSET
    account_streams: Streams | msgspec.UnsetType | None = msgspec.UNSET
    fair_share_below: Percent | msgspec.UnsetType | None = msgspec.UNSET
    default_model: Model | msgspec.UnsetType | None = msgspec.UNSET
    model_aliases: Aliases | msgspec.UnsetType | None = msgspec.UNSET
    model_fallbacks: Aliases | msgspec.UnsetType | None = msgspec.UNSET
    small_work_models: Aliases | msgspec.UnsetType | None = msgspec.UNSET
    history_mode: HistoryMode | msgspec.UnsetType | None = msgspec.UNSET
    reasoning_summary: ReasoningSummary | msgspec.UnsetType | None = msgspec.UNSET
    model_substitution: ModelSubstitution | msgspec.UnsetType | None = msgspec.UNSET
    luna_reserve: LunaReserve | msgspec.UnsetType | None = msgspec.UNSET
    api_key_policy: KeyPolicy | msgspec.UnsetType | None = msgspec.UNSET
    disabled_models: Models | msgspec.UnsetType | None = msgspec.UNSET
    time_zone: Zone | msgspec.UnsetType | None = msgspec.UNSET
    usage_months: Months | msgspec.UnsetType | None = msgspec.UNSET
    usage_days: Days | msgspec.UnsetType | None = msgspec.UNSET
    log_entries: LogEntries | msgspec.UnsetType | None = msgspec.UNSET
    quota_poll_seconds: PollSeconds | msgspec.UnsetType | None = msgspec.UNSET
    alert_window_percent: Percent | msgspec.UnsetType | None = msgspec.UNSET
    alert_backup_days: BackupDays | msgspec.UnsetType | None = msgspec.UNSET


class History:
    """Usage and log as far as they are kept."""

    def __init__(self, packer: UsagePacker, logs: LogStream) -> None:
        self._packer, self._logs = packer, logs

    def __repr__(self) -> str:
        return "<History>"

    async def apply(self, changes: Container[str], live: LiveSettings, *, now: float) -> None:
        """Make changed settings hold for what there is.

        Also the same settings again: an earlier change may have been cut short.
        """
        if "usage_days" in changes or "usage_months" in changes:
            retention = Retention(days=live.usage_days, months=live.usage_months)
            calendar = calendar_of(live.time_zone)
            await self._packer.apply(retention, now=now, calendar=calendar)
        if "log_entries" in changes:
            await self._logs.trim(live.log_entries or LENGTH)


@get("/api/settings", tags=["settings"])
async def show_settings(
    request: AnyRequest,
    live_settings: Injected[LiveSettingsStore],
    settings: Injected[ConsoleSettings],
) -> SettingsBody:
    """Every setting people may see."""
    return _body(request, await live_settings.read(), settings)


@patch("/api/settings", tags=["settings"])
async def change_settings(
    *,
    request: AnyRequest,
    data: JSONBody[SettingsChange],
    checked_settings: Injected[CheckedSettings],
    settings: Injected[ConsoleSettings],
    audit: Injected[Audit],
    history: Injected[History],
    clock: Injected[Clock],
) -> SettingsBody:
    """Change settings on every replica within seconds.

    With a shorter `usage_days` of older days only the sums of their months are kept, from then on;
    with fewer `log_entries` the oldest ones are removed. With another `time_zone` what was counted
    stays in its day, and what comes is counted in the day it then is there.
    """
    changes = {
        name: value
        for name in data.__struct_fields__
        if (value := getattr(data, name)) is not msgspec.UNSET
    }
    if changes.get("time_zone") and changes["time_zone"] not in time_zones():
        raise BadRequest(Code.INVALID_VALUE, param="time_zone")
    before = await checked_settings.read()
    if not changes:
        return _body(request, before, settings)
    after = await checked_settings.change(changes, before=before)
    await history.apply(changes, after, now=clock())
    differing = [name for name in changes if getattr(before, name) != getattr(after, name)]
    if differing:
        await audit.note(
            audit_event(
                request,
                "settings.changed",
                before={name: _fact(getattr(before, name)) for name in differing},
                after={name: _fact(getattr(after, name)) for name in differing},
            )
        )
    return _body(request, after, settings)


def _body(request: AnyRequest, live: LiveSettings, settings: ConsoleSettings) -> SettingsBody:
    origin = origin_of(request.scope)
    fixed = FixedBody(
        public_url=settings.public_url,
        redirect_uri=settings.redirect_uri,
        base_url=f"{settings.public_url or origin.address}/v1",
        trusted_proxies=tuple(str(network) for network in settings.trusted_proxies),
        codex_base_url=settings.codex_base_url,
        codex_auth_url=settings.codex_auth_url,
        codex_client_version=settings.codex_client_version,
        codex_originator=settings.codex_originator,
        log_level=settings.log_level,
    )
    return SettingsBody(live=LiveBody(**msgspec.structs.asdict(live)), fixed=fixed)


def _fact(value: object) -> str:
    """A setting as the audit writes it."""
    return "" if value is None else msgspec.json.encode(value).decode().strip('"')
