"""What the compose stack and the unit promise: they come back, end in order, and are rolled one by one."""

import ipaddress
import json
import pathlib
import re
from typing import Any

import pytest
from deploy.toolbox import DEPLOY, ENVIRONMENT, composed, output

COMPOSE = DEPLOY / "compose"
UNIT = DEPLOY / "systemd" / "codex-proapi.service"
SERVICES = ("gateway-a", "gateway-b", "console")
STOP_SECONDS = {"gateway-a": 640, "gateway-b": 640, "ingress": 640, "console": 20, "redis": 20}
"""The least patience with a service that is told to end."""
OWNER_OF_REDIS = "999:999"


def seconds(text: str) -> int:
    """Compose's way to write a time, such as 11m0s."""
    found = re.fullmatch(r"(?:(\d+)m)?(\d+)s", text)
    assert found, text
    return 60 * int(found[1] or 0) + int(found[2])


def faults(stack: dict[str, Any]) -> list[str]:
    found = []
    services = stack["services"]
    for name, service in services.items():
        if service.get("restart") != "unless-stopped":
            found.append(f"{name} does not come back")
        if not {"max-size", "max-file"} <= set(service.get("logging", {}).get("options", {})):
            found.append(f"the log of {name} fills the disk")
    for name, least in STOP_SECONDS.items():
        if seconds(services[name].get("stop_grace_period", "10s")) < least:
            found.append(f"{name} is killed")
    for name, needed in (*((each, ["redis"]) for each in SERVICES), ("ingress", SERVICES)):
        waits = services[name]["depends_on"]
        if {key: value["condition"] for key, value in waits.items()} != dict.fromkeys(
            needed, "service_healthy"
        ):
            found.append(f"{name} starts before {needed}")
    for name in SERVICES:
        if "/tmp" not in services[name].get("tmpfs", ()):  # noqa: S108 - of the images
            found.append(f"{name} cannot write to /tmp, its home")
    return found + place_faults(stack)


def place_faults(stack: dict[str, Any]) -> list[str]:
    """Files that are mounted elsewhere than they are read, owners, and addresses of the network."""
    services, front = stack["services"], stack["networks"]["front"]["ipam"]["config"][0]
    found = []
    config = services["ingress"]["command"][3]
    if config not in {volume["target"] for volume in services["ingress"]["volumes"]}:
        found.append(f"the ingress has no {config}")
    if services["redis"].get("user") != OWNER_OF_REDIS:
        found.append("redis runs as root, and owns its files so")
    if "REDISCLI_AUTH" not in str(services["redis"]["healthcheck"]["test"]):
        found.append("redis is asked without its password")
    told = services["grafana"]["environment"]
    if {value for name, value in told.items() if "ANALYTICS" in name} != {"false"}:
        found.append("grafana tells others of this installation")
    if not any("retention.time" in each for each in services["prometheus"]["command"]):
        found.append("prometheus keeps what it keeps by itself")
    for name in ("gateway-a", "gateway-b"):
        if float(services[name]["environment"]["DRAIN_SETTLE_SECONDS"]) < 4:
            found.append(f"{name} is gone before the ingress has taken notice")
    own, subnet = ipaddress.ip_address(front["gateway"]), ipaddress.ip_network(front["subnet"])
    believed = services["console"]["environment"]["TRUSTED_PROXIES"]
    if own not in subnet or str(own) in believed or own in ipaddress.ip_network(front["ip_range"]):
        found.append(f"{own} is no address of this machine alone")
    return found


@pytest.fixture(scope="module")
def stack() -> dict[str, Any]:
    return composed("compose.yaml")


def test_the_stack_keeps_what_it_promises(stack: dict[str, Any]) -> None:
    assert faults(stack) == []


@pytest.mark.parametrize(
    ("service", "path", "value"),
    [
        ("gateway-a", ("restart",), "no"),
        ("redis", ("logging",), {}),
        ("gateway-b", ("stop_grace_period",), "1m0s"),
        ("ingress", ("stop_grace_period",), "10s"),
        ("redis", ("stop_grace_period",), "1s"),
        ("ingress", ("depends_on", "gateway-a", "condition"), "service_started"),
        ("console", ("depends_on", "redis", "condition"), "service_started"),
        ("gateway-a", ("tmpfs",), []),
        ("ingress", ("command", 3), "/etc/Caddyfile"),
        ("redis", ("user",), "0:0"),
        ("redis", ("healthcheck", "test"), ["CMD", "redis-cli", "ping"]),
        ("prometheus", ("command",), ["--config.file=/etc/prometheus/prometheus.yml"]),
        ("grafana", ("environment", "GF_ANALYTICS_REPORTING_ENABLED"), "true"),
        ("gateway-a", ("environment", "DRAIN_SETTLE_SECONDS"), "0"),
    ],
)
def test_a_promise_that_is_not_kept_is_found(
    stack: dict[str, Any], service: str, path: tuple[Any, ...], value: Any
) -> None:
    broken = json.loads(json.dumps(stack))
    place = broken["services"][service]
    for step in path[:-1]:
        place = place[step]
    assert place[path[-1]] != value
    place[path[-1]] = value

    assert faults(broken)


@pytest.mark.parametrize("gateway", ["172.31.145.2", "172.31.145.200", "10.0.0.1"])
def test_an_address_of_this_machine_that_is_another_ones_is_found(
    stack: dict[str, Any], gateway: str
) -> None:
    broken = json.loads(json.dumps(stack))
    broken["networks"]["front"]["ipam"]["config"][0]["gateway"] = gateway

    assert faults(broken)


def test_certificates_are_served_where_browsers_ask() -> None:
    site = {"SITE_ADDRESS": "codex.example.com"}
    ingress = composed("compose.yaml", "compose.tls.yaml", **site)["services"]["ingress"]

    published = {(p["published"], str(p["target"]), p["protocol"]) for p in ingress["ports"]}
    assert published == {("80", "80", "tcp"), ("443", "443", "tcp"), ("443", "443", "udp")}


# --- an upgrade --------------------------------------------------------------------------------

STAND_IN = """#!/bin/sh
[ "$1" = compose ] && exit 1
echo "$(basename "$0") $@" >> "$LOG"
"""


def rolled(script: str, folder: pathlib.Path) -> list[str]:
    """What roll.sh runs, in its order."""
    for name in ("docker", "docker-compose", "sleep"):
        folder.joinpath(name).write_text(STAND_IN)
        folder.joinpath(name).chmod(0o755)
    folder.joinpath("roll.sh").write_text(script)
    environment = {**ENVIRONMENT, "PATH": f"{folder}:{ENVIRONMENT['PATH']}"}
    environment["LOG"] = str(folder / "log")
    output("bash", folder / "roll.sh", env=environment)
    return folder.joinpath("log").read_text().splitlines()


def roll_faults(script: str, folder: pathlib.Path) -> list[str]:
    done = rolled(script, folder)
    ups = [line for line in done if " up " in line]
    found = [f"not waited for: {line}" for line in ups if "--wait" not in line.split()]
    alone = [line.split()[-1] for line in ups if "--no-deps" in line.split()]
    if sorted(alone) != sorted(SERVICES) or any("--no-deps" not in each for each in ups[:3]):
        found.append(f"not one by one: {ups}")
    pauses = [float(line.split()[1]) for line in done if line.startswith("sleep ")]
    # The ingress asks once a second, and takes one gateway's word for it.
    if len(pauses) < len(SERVICES) or min(pauses) < 2:
        found.append("the next one goes before the last one has requests again")
    if set(ups[-1].split()[1:]) != {"up", "--detach", "--wait"}:
        found.append(f"what else has changed is left: {ups[-1]}")
    return found


def test_an_upgrade_replaces_one_after_the_other(tmp_path: pathlib.Path) -> None:
    assert roll_faults((COMPOSE / "roll.sh").read_text(), tmp_path) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("console gateway-a gateway-b; do", '"console gateway-a gateway-b"; do'),
        ("console gateway-a gateway-b; do", "console gateway-a; do"),
        ('--no-deps --wait "$service"', '--no-deps "$service"'),
        ('--no-deps --wait "$service"', '--wait "$service"'),
        ("  sleep 3\n", ""),
        ('"${compose[@]}" up --detach --wait\n', ""),
    ],
)
def test_an_upgrade_that_goes_otherwise_is_found(
    tmp_path: pathlib.Path, right: str, wrong: str
) -> None:
    script = (COMPOSE / "roll.sh").read_text()
    assert right in script

    assert roll_faults(script.replace(right, wrong), tmp_path)
