"""Whether this process lives, whether it can serve, and its figures for Prometheus."""

import asyncio

import msgspec
from litestar import Response, get
from redis.asyncio import Redis

from commons.errors import StoreUnavailable
from commons.redis_pool import ask
from console.metrics import Metrics
from console.web.given import Given

SERVICE = "console"


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe reads."""

    status: str
    service: str = SERVICE
    redis: str = ""


class Lights:
    """Whether this replica is on its way out; streams and probes look here."""

    def __init__(self) -> None:
        self.closing = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Lights {'closing' if self.closing.is_set() else 'on'}>"


@get("/health", opt={"probe": True}, include_in_schema=False)
async def health() -> Health:
    """The process lives."""
    return Health(status="ok")


@get("/readyz", opt={"probe": True}, include_in_schema=False)
async def ready(redis: Given[Redis], lights: Given[Lights]) -> Response[Health]:
    """Whether it can serve: Redis answers and it is not closing."""
    if lights.closing.is_set():
        return Response(Health(status="closing"), status_code=503)
    try:
        await ask(redis.ping)
    except StoreUnavailable:
        return Response(Health(status="unavailable", redis="away"), status_code=503)
    return Response(Health(status="ok", redis="ok"), status_code=200)


@get("/metrics", opt={"probe": True}, include_in_schema=False)
async def figures(metrics: Given[Metrics]) -> Response[bytes]:
    """Every series, for Prometheus; never through the ingress."""
    body, content_type = metrics.exposition()
    return Response(body, media_type=content_type)
