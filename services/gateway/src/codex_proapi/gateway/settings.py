"""What the gateway reads from its environment, once, in `__main__`."""

import re
from typing import Annotated

import msgspec

from codex_proapi.commons.balancing.strategy import Routing
from codex_proapi.commons.cluster.live_settings import (
    MOST_RESERVE,
    HistoryMode,
    KeyPolicy,
    ReasoningSummary,
)
from codex_proapi.commons.runtime.settings import CommonSettings

ORIGIN = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")
"""A web page's origin: scheme, host and port, nothing behind them."""
MOST_PATIENCE = 60.0
"""Seconds of silence before the first byte that no client was seen to bear."""
LEAST_WHOLE_PATIENCE = 45.0
MOST_WHOLE_PATIENCE = 600.0
"""Bounds of WHOLE_PATIENCE, in seconds: most failures come before the first, no proxy waits so long
as the second."""
MOST_GRACE = 3600.0
"""Seconds without Redis in which accounts' tokens and quotas may well have changed."""


class GatewaySettings(CommonSettings, frozen=True, kw_only=True):
    """The gateway's settings; the shared ones are in CommonSettings."""

    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8080
    """Port to listen on; 0 takes a free one."""
    api_key_policy: KeyPolicy = KeyPolicy.REQUIRED
    """`open` takes any key, or none, until the first key is made; `required` never does."""
    allowed_origins: tuple[str, ...] = ()
    """Web pages served while no key is needed, beside this machine's own and PUBLIC_URL's."""
    account_streams: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Answers one account gives at a time, then requests wait; plans differ. 0 is no limit."""
    fair_share_below: float = 10.0
    """Percent of the pool left below which keys share the rest; a pool of one person needs none."""
    default_model: str = ""
    """Model where a client names none, or one that only stands for the best; empty is the best."""
    model_aliases: dict[str, str] = msgspec.field(default_factory=dict)
    """`name=model` pairs, as clients' names differ from the catalogue's; a name may end in `*`."""
    history_mode: HistoryMode = HistoryMode.STRUCTURED
    """Whether a conversation stays items or becomes one text, for tools that expect the latter."""
    reasoning_summary: ReasoningSummary = ReasoningSummary.MODEL
    """Reasoning summary where neither client nor key says which; clients differ in what they show."""
    routing: Routing = Routing.AFFINITY
    """Whether a conversation stays on its account; strict turns cost the upstream prompt cache."""
    quota_reserve: float = 5.0
    """Percent of each quota window kept for conversations under way; pools differ in what they risk."""
    quota_poll_seconds: Annotated[int, msgspec.Meta(ge=60, le=3600)] = 300
    """Time between two questions about the quota of an account no answer told of; tastes differ."""
    log_selections: float = 0.0
    """Share of choices, 0 to 1, whose input is in the log, for `codex-proapi replay`; it takes room."""
    commit_patience: float = 10.0
    """Seconds until a streaming client gets its 200 though nothing was said; proxies differ."""
    whole_patience: float = 0.0
    """Seconds until a client that does not stream gets its 200 and blank space; 0 is never. A
    failure after that stands inside a 200, which only the operator can weigh against a proxy's
    patience."""
    max_concurrent: int = 2000
    """Exchanges at a time; one more gets 503 at once. A setting because memory differs."""
    body_memory_mib: Annotated[int, msgspec.Meta(ge=128)] = 256
    """MiB of request bodies held at a time; one more gets 503. A setting because memory differs."""
    redis_grace_seconds: float = 0.0
    """How long to serve from memory while Redis is away; 0 is not at all. Nobody but the operator
    can weigh answers against a key taken back that still works meanwhile."""
    drain_seconds: float = 600.0
    """How long streams may go on after a SIGTERM; must fit the orchestrator's own patience."""
    drain_settle_seconds: float = 1.0
    """How long the door stays open after a SIGTERM, until load balancers have taken notice."""

    def __repr__(self) -> str:
        return super().__repr__()

    def faults(self) -> list[str]:
        """One sentence for each value that its type alone cannot refuse."""
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
