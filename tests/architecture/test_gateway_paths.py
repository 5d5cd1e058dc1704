"""Wherever gateway and console share an address, every path of the gateway's is sent to it."""

import re
from collections.abc import Callable

import pytest
import yaml  # type: ignore[import-untyped]
from support.tree import ROOT

from codex_proapi.gateway.api.paths import PATHS

DEPLOY = ROOT / "deploy"
INSIDE = ("/", "/metrics", "/metrics/")
"""The console's own, and what no proxy passes on."""
THEIRS = ("/", "/api/accounts", "/api/usage", "/auth/callback", "/v11", "/api/codexes", "/wham")

Sends = Callable[[str], bool]
"""Whether a path is sent to the gateway."""


def by_pattern(name: str) -> Sends:
    found = re.search(r"\^/\(v1\|.*\)\(/\|\$\)", (DEPLOY / "proxies" / name).read_text())
    assert found is not None
    pattern = re.compile(found[0])
    return lambda path: pattern.match(path) is not None


def by_list(name: str) -> Sends:
    found = re.search(r"@gateway path (.*)", (DEPLOY / name).read_text())
    assert found is not None
    listed = found[1].split()
    return lambda path: any(
        path.startswith(each[:-1]) if each.endswith("*") else path == each for each in listed
    )


def by_prefixes(rules: list[tuple[str, bool]]) -> Sends:
    return lambda path: any(
        path.rstrip("/") == value or (prefix and path.startswith(f"{value}/"))
        for value, prefix in rules
    )


def by_ingress() -> Sends:
    file = DEPLOY / "k8s/components/ingress-nginx/ingress.yaml"
    ingress = next(yaml.safe_load_all(file.read_text()))
    paths = ingress["spec"]["rules"][0]["http"]["paths"]
    return by_prefixes(
        [
            (each["path"], each["pathType"] == "Prefix")
            for each in paths
            if each["backend"]["service"]["name"] == "gateway"
        ]
    )


def by_route() -> Sends:
    route = yaml.safe_load((DEPLOY / "k8s/components/gateway-api/route.yaml").read_text())
    matches = route["spec"]["rules"][0]["matches"]
    return by_prefixes(
        [(each["path"]["value"], each["path"]["type"] == "PathPrefix") for each in matches]
    )


@pytest.mark.parametrize(
    "sends",
    [
        pytest.param(by_pattern("nginx.conf"), id="nginx"),
        pytest.param(by_pattern("haproxy.cfg"), id="haproxy"),
        pytest.param(by_pattern("traefik-routes.yml"), id="traefik"),
        pytest.param(by_list("proxies/Caddyfile"), id="caddy"),
        pytest.param(by_list("compose/Caddyfile"), id="compose"),
        pytest.param(by_ingress(), id="ingress"),
        pytest.param(by_route(), id="gateway-api"),
    ],
)
def test_every_path_of_the_gateway_is_sent_to_it_and_none_of_the_console(sends: Sends) -> None:
    assert [path for path in PATHS if path not in INSIDE and not sends(path)] == []
    assert [path for path in THEIRS if sends(path)] == []
