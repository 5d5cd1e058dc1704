"""Routes for this version and the live replicas of both services."""

import platform

import msgspec
from litestar import get

from codex_proapi.commons.cluster.replicas import Replica, ReplicaStore
from codex_proapi.console.server.dependencies import Injected
from codex_proapi.console.server.health import SERVICE
from codex_proapi.console.version import own_version


class VersionBody(msgspec.Struct, frozen=True, kw_only=True):
    """What runs here."""

    service: str
    version: str
    python: str


class ReplicaList(msgspec.Struct, frozen=True, kw_only=True):
    """Every living replica of both services."""

    replicas: list[Replica]


@get("/api/version", opt={"passive": True}, tags=["system"])
async def show_version() -> VersionBody:
    """Which version runs here."""
    return VersionBody(service=SERVICE, version=own_version(), python=platform.python_version())


@get("/api/replicas", opt={"passive": True}, tags=["system"])
async def list_replicas(replicas: Injected[ReplicaStore]) -> ReplicaList:
    """Every living replica of both services, with what it is doing."""
    return ReplicaList(replicas=await replicas.all())
