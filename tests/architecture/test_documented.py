"""The tables of the documentation are true: every name is there, and none that does not exist."""

import inspect
import re

import msgspec
from prometheus_client import CollectorRegistry
from support.tree import ROOT

from codex_proapi.commons.redis import keyspace, operator_keys
from codex_proapi.console.metrics import Metrics as ConsoleMetrics
from codex_proapi.console.settings import ConsoleSettings
from codex_proapi.gateway import errors
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.settings import GatewaySettings


def _table(name: str) -> set[str]:
    """Names in backticks in the first column of every table of a page."""
    page = (ROOT / "docs" / name).read_text()
    return set(re.findall(r"^\| `([^`]+)`", page, flags=re.MULTILINE))


def _redis_keys() -> set[str]:
    """Every key as its function writes it, with its parameters in angle brackets."""
    made = set()
    modules = (keyspace, operator_keys)
    for _, function in (
        each for m in modules for each in inspect.getmembers(m, inspect.isfunction)
    ):
        names = list(inspect.signature(function).parameters)
        made.add(function(*(f"<{name.removesuffix('_id')}>" for name in names)))
    return {key.removeprefix(f"{keyspace.TAG}:") for key in made}


def test_every_redis_key_is_documented() -> None:
    assert _table("redis.md") == _redis_keys()


def _settings() -> set[str]:
    """The names of both services' settings."""
    structs = (GatewaySettings, ConsoleSettings)
    return {f.name.upper() for struct in structs for f in msgspec.structs.fields(struct)}


def _series() -> set[str]:
    """Both services' series by the name a query uses; those of the process are Prometheus' own."""
    registries = Metrics(CollectorRegistry()).registry, ConsoleMetrics(CollectorRegistry()).registry
    return {
        family.name + ("_total" if family.type == "counter" else "")
        for registry in registries
        for family in registry.collect()
    }


def _codes() -> set[str]:
    """The codes of our own errors."""
    found: set[str] = set()
    frontier: list[type[errors.GatewayError]] = [errors.GatewayError]
    while frontier:
        kind = frontier.pop()
        frontier += kind.__subclasses__()
        found |= {kind.code} if kind.code else set()
    return found


def test_every_setting_is_documented() -> None:
    assert _table("settings.md") == _settings()


def test_every_series_is_documented() -> None:
    assert _table("metrics.md") == _series()


def test_every_documented_code_is_counted_apart() -> None:
    assert _table("errors.md") <= errors.CODES


def test_every_code_of_an_error_of_ours_is_documented() -> None:
    assert _codes() <= _table("errors.md")
