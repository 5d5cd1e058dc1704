"""The compose stack as Compose reads it, its secrets, and what its services are told."""

import ipaddress
import json
import pathlib
import re
import shutil
import stat
from typing import Any

import pytest
from deploy.toolbox import DEPLOY, ENVIRONMENT, composed, output, run, tool
from msgspec.structs import fields
from support.tree import ROOT

from codex_proapi.commons.runtime.settings import from_environ
from codex_proapi.console.settings import ConsoleSettings
from codex_proapi.gateway.settings import GatewaySettings

COMPOSE = DEPLOY / "compose"
SETTINGS = sorted(
    {f.encode_name.upper() for s in (GatewaySettings, ConsoleSettings) for f in fields(s)}
)
FIXED = {"HOST", "PORT", "TRUSTED_PROXIES"}
"""Settings the stack itself decides; .env has names of its own for what may be changed of them."""
SITE = {"SITE_ADDRESS": "codex.example.com"}
CADDY = {**ENVIRONMENT, "SITE_ADDRESS": "http://:1455", "OUTER_PROXIES": "127.0.0.1/32"}


@pytest.fixture(scope="module")
def stack() -> dict[str, Any]:
    return composed("compose.yaml")


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("compose") / "secrets"
    output("bash", COMPOSE / "secrets.sh", folder)
    return folder


def test_compose_reads_the_stack(stack: dict[str, Any]) -> None:
    assert {
        "gateway-a",
        "gateway-b",
        "console",
        "redis",
        "ingress",
        "prometheus",
        "grafana",
    } <= set(stack["services"])


def test_compose_reads_the_variant_with_certificates() -> None:
    ingress = composed("compose.yaml", "compose.tls.yaml", **SITE)["services"]["ingress"]

    assert {port["published"] for port in ingress["ports"]} == {"80", "443"}


def test_a_misspelt_field_is_refused(tmp_path: pathlib.Path) -> None:
    broken = (COMPOSE / "compose.yaml").read_text().replace("healthcheck:", "heathcheck:")
    tmp_path.joinpath("compose.yaml").write_text(broken)

    done = run("docker-compose", "-f", tmp_path / "compose.yaml", "config", "--quiet")

    assert done.returncode != 0
    assert "heathcheck" in done.stderr


def unhardened(stack: dict[str, Any]) -> list[str]:
    found = []
    for name, service in stack["services"].items():
        if not service.get("read_only"):
            found.append(f"{name} may write to its root")
        if service.get("cap_drop") != ["ALL"]:
            found.append(f"{name} has capabilities")
        if service.get("security_opt") != ["no-new-privileges:true"]:
            found.append(f"{name} may escalate")
        if not service.get("mem_limit") or not service.get("pids_limit"):
            found.append(f"{name} has no limits")
    return found


def test_every_service_is_hardened(stack: dict[str, Any]) -> None:
    assert unhardened(stack) == []


def test_an_unhardened_service_is_found(stack: dict[str, Any]) -> None:
    broken = json.loads(json.dumps(stack))
    broken["services"]["console"]["cap_drop"] = []

    assert unhardened(broken) == ["console has capabilities"]


def test_only_this_machine_is_listened_to_by_default(stack: dict[str, Any]) -> None:
    ports = [port for service in stack["services"].values() for port in service.get("ports", ())]

    assert ports
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}


def test_the_address_of_the_ingress_is_given_to_nobody_else(stack: dict[str, Any]) -> None:
    front = stack["networks"]["front"]["ipam"]["config"][0]
    own = ipaddress.ip_address(stack["services"]["ingress"]["networks"]["front"]["ipv4_address"])

    assert own in ipaddress.ip_network(front["subnet"])
    assert own not in ipaddress.ip_network(front["ip_range"])


def test_only_the_services_reach_redis(stack: dict[str, Any]) -> None:
    on_store = {n for n, s in stack["services"].items() if "store" in s["networks"]}

    assert stack["networks"]["store"]["internal"]
    clients = {"gateway-a", "gateway-b", "console"}
    assert on_store == {"redis", "redis-exporter", "prometheus"} | clients


def environment_of(stack: dict[str, Any], name: str, secrets: pathlib.Path) -> dict[str, str]:
    given = stack["services"][name]["environment"]
    # A name without a value is not set at all.
    return {k: v.replace("/run/secrets", str(secrets)) for k, v in given.items() if v is not None}


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("gateway-a", GatewaySettings),
        ("gateway-b", GatewaySettings),
        ("console", ConsoleSettings),
    ],
)
def test_the_services_accept_what_they_are_told(
    stack: dict[str, Any], secrets: pathlib.Path, name: str, settings: type[Any]
) -> None:
    read = from_environ(settings, environment_of(stack, name, secrets))

    assert read.host == "0.0.0.0"
    assert [str(network) for network in read.trusted_proxies] == ["172.31.145.2/32"]


def test_a_proxy_in_front_is_believed_once_it_is_named() -> None:
    told = composed("compose.yaml", OUTER_PROXIES="172.31.145.1/32")["services"]

    assert told["console"]["environment"]["TRUSTED_PROXIES"] == "172.31.145.2/32,172.31.145.1/32"
    assert told["ingress"]["environment"]["OUTER_PROXIES"] == "172.31.145.1/32"


def test_the_grace_of_compose_outlasts_the_drain(stack: dict[str, Any]) -> None:
    gateway = stack["services"]["gateway-a"]
    settles = float(gateway["environment"]["DRAIN_SETTLE_SECONDS"])

    assert gateway["stop_grace_period"] == "11m0s"
    assert GatewaySettings().drain_seconds + settles + 30 <= 660


def test_every_variable_is_in_the_example() -> None:
    asked = set()
    for path in COMPOSE.glob("compose*.yaml"):
        asked |= set(re.findall(r"\$\{(\w+)", path.read_text()))
    told = set(re.findall(r"^#?([A-Z_]+)=", (COMPOSE / ".env.example").read_text(), re.MULTILINE))

    # Other images of the parts that are not ours are for those who look for them, and settings
    # are in a page of their own.
    hidden = {name for name in asked if name.endswith("_IMAGE")} | set(SETTINGS)
    assert asked - hidden - told == set()
    assert told - asked - set(SETTINGS) == {"COMPOSE_FILE"}


def copied(folder: pathlib.Path, **variables: str) -> pathlib.Path:
    """The compose folder with a .env of these variables."""
    made = folder / "compose"
    shutil.copytree(COMPOSE, made, ignore=shutil.ignore_patterns("secrets", ".env"))
    made.joinpath(".env").write_text("".join(f"{k}={v}\n" for k, v in variables.items()))
    return made


def in_folder(folder: pathlib.Path) -> dict[str, Any]:
    """The stack as Compose reads it in a folder, without being told any file."""
    made: dict[str, Any] = json.loads(
        output("docker-compose", "config", "--format", "json", cwd=folder)
    )
    return made


def swallowed(folder: pathlib.Path) -> set[str]:
    """Settings that are in .env and do not reach the containers."""
    given = {name: f"value-of-{name}" for name in SETTINGS} | {"PORT": "1466"}
    services = in_folder(copied(folder, **given))["services"]
    found = set()
    for service in ("gateway-a", "gateway-b", "console"):
        environment = services[service]["environment"]
        found |= {name for name, value in given.items() if environment.get(name) != value}
    return found


def test_every_setting_in_the_env_file_reaches_the_containers(tmp_path: pathlib.Path) -> None:
    assert swallowed(tmp_path) == FIXED


def test_a_settings_absence_from_the_containers_is_found(tmp_path: pathlib.Path) -> None:
    folder = copied(tmp_path / "broken")
    file = folder / "compose.yaml"
    file.write_text(re.sub(r"\n +env_file: \*env-file", "", file.read_text()))
    folder.joinpath(".env").write_text("ACCOUNT_STREAMS=3\n")

    assert "ACCOUNT_STREAMS" not in in_folder(folder)["services"]["gateway-a"]["environment"]


STAND_IN = """#!/bin/sh
# Instead of doing anything, asks the real one what it would have done it with.
[ "$1" = compose ] && exit 1
while [ $# -gt 0 ] && [ "$1" != up ]; do options="$options $1"; shift; done
echo "$@" >> "$LOG.calls"
exec "$REAL" $options config --format json > "$LOG"
"""


@pytest.mark.parametrize("command", ["roll", "make"])
def test_an_upgrade_keeps_the_certificates(tmp_path: pathlib.Path, command: str) -> None:
    folder = copied(
        tmp_path,
        COMPOSE_FILE="compose.yaml:compose.tls.yaml",
        SITE_ADDRESS="codex.example.com",
        PUBLIC_URL="https://codex.example.com",
    )
    for name in ("docker-compose", "docker", "sleep"):
        stand_in = tmp_path / "bin" / name
        stand_in.parent.mkdir(exist_ok=True)
        stand_in.write_text("#!/bin/sh\n" if name == "sleep" else STAND_IN)
        stand_in.chmod(0o755)
    environment = {
        **ENVIRONMENT,
        "PATH": f"{tmp_path / 'bin'}:{ENVIRONMENT['PATH']}",
        "REAL": tool("docker-compose"),
        "LOG": str(tmp_path / "read.json"),
    }
    if command == "roll":
        output("bash", folder / "roll.sh", env=environment)
    else:
        lines = output("make", "--dry-run", "compose", env=environment)
        line = next(each for each in lines.splitlines() if " up " in each)
        assert line.startswith("cd deploy/compose && ")
        output("bash", "-c", line.partition(" && ")[2], env=environment, cwd=folder)

    read = json.loads((tmp_path / "read.json").read_text())["services"]
    assert {port["published"] for port in read["ingress"]["ports"]} == {"80", "443"}
    assert read["ingress"]["environment"]["SITE_ADDRESS"] == "codex.example.com"
    assert read["console"]["environment"]["PUBLIC_URL"] == "https://codex.example.com"


def test_no_command_of_the_docs_names_the_files() -> None:
    for path in (*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "Makefile"):
        assert not re.search(r"compose[^\n]* -f [^\n]*compose\S*\.yaml", path.read_text()), path


def unwatched(stack: dict[str, Any]) -> set[str]:
    """Services Compose takes for ready as soon as they run."""
    # Our own images bring their check with them.
    return {
        name
        for name, service in stack["services"].items()
        if "build" not in service and not service.get("healthcheck", {}).get("test")
    }


def test_every_service_has_a_health_check(stack: dict[str, Any]) -> None:
    assert unwatched(stack) == set()


def test_a_service_without_a_health_check_is_found(stack: dict[str, Any]) -> None:
    broken = json.loads(json.dumps(stack))
    del broken["services"]["ingress"]["healthcheck"]

    assert unwatched(broken) == {"ingress"}


def test_the_secrets_are_closed_to_others(secrets: pathlib.Path) -> None:
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    # Containers read them as users of their own.
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets.iterdir()} == {0o444}


def test_every_secret_is_made(stack: dict[str, Any], secrets: pathlib.Path) -> None:
    asked = {pathlib.Path(secret["file"]).name for secret in stack["secrets"].values()}

    assert asked <= {path.name for path in secrets.iterdir()}


def test_secrets_are_made_once(secrets: pathlib.Path) -> None:
    before = {path.name: path.read_text() for path in secrets.iterdir()}

    said = output("bash", COMPOSE / "secrets.sh", secrets)

    assert "made" not in said
    assert {path.name: path.read_text() for path in secrets.iterdir()} == before


def test_the_ingress_understands_its_configuration() -> None:
    output(
        "caddy", "validate", "--config", COMPOSE / "Caddyfile", "--adapter", "caddyfile", env=CADDY
    )


def test_a_misspelt_directive_of_the_ingress_is_refused(tmp_path: pathlib.Path) -> None:
    broken = (COMPOSE / "Caddyfile").read_text().replace("health_uri", "heath_uri")
    tmp_path.joinpath("Caddyfile").write_text(broken)

    done = run(
        *("caddy", "validate", "--config", tmp_path / "Caddyfile", "--adapter", "caddyfile"),
        env=CADDY,
    )

    assert "heath_uri" in done.stderr
