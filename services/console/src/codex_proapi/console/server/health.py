"""Liveness, readiness and Prometheus metrics of this process."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec
from litestar import Response, get
from redis.asyncio import Redis

from codex_proapi.commons.redis.clients import ask
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.console.metrics import Metrics
from codex_proapi.console.server.dependencies import Injected

SERVICE = "console"


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe reads."""

    status: str
    service: str = SERVICE
    redis: str = ""


class HealthReport:
    """Whether this replica is closing or broken; read by streams and probes."""

    def __init__(self, *, loops_down: Callable[[], Sequence[str]] = tuple) -> None:
        self.closing = asyncio.Event()
        self.loops_down = loops_down
        """Names of background loops that fail again and again."""

    def __repr__(self) -> str:
        return f"<HealthReport {'closing' if self.closing.is_set() else 'on'}>"


@get("/health", opt={"probe": True}, include_in_schema=False)
async def health() -> Health:
    """The process lives."""
    return Health(status="ok")


@get("/readyz", opt={"probe": True}, include_in_schema=False)
async def ready(redis: Injected[Redis], lights: Injected[HealthReport]) -> Response[Health]:
    """Whether it can serve: Redis answers, its loops run and it is not closing."""
    if lights.closing.is_set():
        return Response(Health(status="closing"), status_code=503)
    try:
        await ask(redis.ping)
    except StoreUnavailable:
        return Response(Health(status="unavailable", redis="away"), status_code=503)
    if down := lights.loops_down():
        status = f"loops down: {', '.join(down)}"
        return Response(Health(status=status, redis="ok"), status_code=503)
    return Response(Health(status="ok", redis="ok"), status_code=200)


@get("/metrics", opt={"probe": True}, include_in_schema=False)
async def figures(metrics: Injected[Metrics]) -> Response[bytes]:
    """Every series, for Prometheus; never through the ingress."""
    body, content_type = metrics.exposition()
    return Response(body, media_type=content_type)
