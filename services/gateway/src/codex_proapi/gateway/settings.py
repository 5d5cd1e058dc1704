"""Settings of the gateway, read from the environment once, in `__main__`."""

import enum
import re
from typing import Annotated

import msgspec

from codex_proapi.commons.api_keys.small_work import WorkClass, unknown_classes
from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.commons.cluster.live_settings import (
    MOST_RESERVE,
    HistoryMode,
    KeyPolicy,
    ModelSubstitution,
    ReasoningSummary,
)
from codex_proapi.commons.codex.luna_reserve import LunaReserve
from codex_proapi.commons.runtime.settings import CommonSettings

ORIGIN = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")
"""A web origin: scheme, host and optional port."""
MOST_PATIENCE = 60.0
"""Upper bound of COMMIT_PATIENCE, in seconds: no known client waits longer for the first byte."""
LEAST_WHOLE_PATIENCE = 45.0
MOST_WHOLE_PATIENCE = 600.0
"""Bounds of WHOLE_PATIENCE, in seconds: most failures come before the first, no proxy waits so long
as the second."""
MOST_GRACE = 3600.0
"""Upper bound of REDIS_GRACE_SECONDS: tokens and quotas change within an hour."""


class TransportSetting(enum.StrEnum):
    """How requests go to the backend."""

    HTTP = "http"
    """By POST."""
    WEBSOCKET = "websocket"
    """Over WebSocket, and by POST where that fails."""
    AUTO = "auto"
    """Over whatever is faster where the catalogue prefers WebSocket."""


class GatewaySettings(CommonSettings, frozen=True, kw_only=True):
    """Settings of the gateway; those of both services are in CommonSettings."""

    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8080
    """Port to listen on; 0 for any free port."""
    api_key_policy: KeyPolicy = KeyPolicy.REQUIRED
    """`required`: a valid key is needed. `open`: any or none will do until the first key is made."""
    allowed_origins: tuple[str, ...] = ()
    """Web origins served in open mode, beside those of this machine and of PUBLIC_URL."""
    upstream_transport: TransportSetting = TransportSetting.HTTP
    """How requests go to the backend; which is faster only accounts of your own can tell."""
    upstream_idle_seconds: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 300
    """Seconds an idle connection to the backend is kept; less than its edge, or a firewall, keeps one."""
    account_streams: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Concurrent answers per account; further requests wait. 0 is no limit. Plans differ."""
    fair_share_below: float = 10.0
    """Percent of the pool's quota left below which fair shares apply; 0 is never."""
    default_model: str = ""
    """Model for requests that name none, or a placeholder; empty is the catalogue's best."""
    model_aliases: dict[str, str] = msgspec.field(default_factory=dict)
    """`name=model` pairs for names that are not in the catalogue; a name may end in `*`."""
    model_fallbacks: dict[str, str] = msgspec.field(default_factory=dict)
    """`model=other` pairs: models that serve where no account can serve the first for a while."""
    small_work_models: dict[str, str] = msgspec.field(default_factory=dict)
    """`class=model` pairs: models that do small work, such as `auxiliary` and `auto_review`."""
    history_mode: HistoryMode = HistoryMode.STRUCTURED
    """Whether a conversation is sent as items or as one text."""
    reasoning_summary: ReasoningSummary = ReasoningSummary.MODEL
    """Reasoning summary where neither client nor key says which; clients differ in what they show."""
    model_substitution: ModelSubstitution = ModelSubstitution.ACCEPT
    """Whether an answer by another model than was sent is dropped for another account's, once."""
    luna_reserve: LunaReserve = LunaReserve.OFF
    """Whether accounts' reserves serve while their ordinary windows are shut."""
    routing: Routing = Routing.AFFINITY
    """Strategy of account selection."""
    quota_reserve: float = 5.0
    """Percent of each quota window reserved for existing conversations."""
    quota_poll_seconds: Annotated[int, msgspec.Meta(ge=60, le=3600)] = 300
    """Seconds between two polls of the quota of an account that serves no requests."""
    log_selections: float = 0.0
    """Share of choices, 0 to 1, whose input is in the log, for `codex-proapi replay`; it takes room."""
    commit_patience: float = 10.0
    """Seconds until a streaming client gets its 200 before the first event; proxies differ."""
    whole_patience: float = 0.0
    """Seconds until a client that does not stream gets its 200 and blank space; 0 is never. A
    failure after that stands inside a 200, which only the operator can weigh against a proxy's
    patience."""
    max_concurrent: int = 2000
    """Concurrent exchanges; a further one gets 503 at once. Memory differs."""
    body_memory_mib: Annotated[int, msgspec.Meta(ge=128)] = 256
    """MiB of request bodies in memory; a further one gets 503. Memory differs."""
    redis_grace_seconds: float = 0.0
    """Seconds to serve from memory while Redis is away; 0 is not at all. Keys revoked meanwhile still
    work, which only the operator can weigh against availability."""
    drain_seconds: float = 600.0
    """Seconds that streams may go on after SIGTERM; less than the orchestrator's grace period."""
    drain_settle_seconds: float = 1.0
    """Seconds that requests are still accepted after SIGTERM, until load balancers have noticed."""

    def __repr__(self) -> str:
        return super().__repr__()

    def faults(self) -> list[str]:
        """A sentence for each value that is out of its bounds."""
        found = super().faults()
        found += [
            f"ALLOWED_ORIGINS: {origin!r} must be written https://host or https://host:port."
            for origin in self.allowed_origins
            if not ORIGIN.fullmatch(origin)
        ]
        if not 0 < self.commit_patience <= MOST_PATIENCE:
            found.append(f"COMMIT_PATIENCE must be more than 0 and at most {MOST_PATIENCE:.0f}.")
        if self.whole_patience and not (
            LEAST_WHOLE_PATIENCE <= self.whole_patience <= MOST_WHOLE_PATIENCE
        ):
            bounds = f"{LEAST_WHOLE_PATIENCE:.0f} to {MOST_WHOLE_PATIENCE:.0f}"
            found.append(f"WHOLE_PATIENCE must be 0, or from {bounds}.")
        found += self._unknown_work()
        if not 0 <= self.fair_share_below <= 100:  # noqa: PLR2004 - percent
            found.append("FAIR_SHARE_BELOW must be from 0 to 100.")
        if not 0 <= self.quota_reserve <= MOST_RESERVE:
            found.append(f"QUOTA_RESERVE must be from 0 to {MOST_RESERVE:.0f}.")
        if not 0 <= self.redis_grace_seconds <= MOST_GRACE:
            found.append(f"REDIS_GRACE_SECONDS must be between 0 and {MOST_GRACE:.0f}.")
        if not 0 <= self.log_selections <= 1:
            found.append("LOG_SELECTIONS must be from 0 to 1.")
        if self.max_concurrent < 1:
            found.append("MAX_CONCURRENT must be at least 1.")
        if self.drain_seconds < 0:
            found.append("DRAIN_SECONDS must not be negative.")
        if self.drain_settle_seconds < 0:
            found.append("DRAIN_SETTLE_SECONDS must not be negative.")
        return found

    def _unknown_work(self) -> list[str]:
        """A sentence if SMALL_WORK_MODELS names what is no class."""
        unknown = unknown_classes(self.small_work_models)
        named, classes = ", ".join(map(repr, unknown)), ", ".join(WorkClass)
        told = f"SMALL_WORK_MODELS: {named} is no class of small work; there are {classes}."
        return [told] if unknown else []
