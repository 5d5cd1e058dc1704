"""What each container of the compose stack is, is given and is asked; each check finds its planted fault."""

import json
import pathlib
import re
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from deploy.toolbox import DEPLOY, ENVIRONMENT, composed, panels, run

from codex_proapi.gateway.settings import GatewaySettings

OURS = {"gateway-a": "gateway", "gateway-b": "gateway", "console": "console"}
"""Services that are built here, and the target of the Dockerfile."""
TOLD = {"HOST", "PORT", "REDIS_URL_FILE", "ENCRYPTION_KEYS_FILE", "TRUSTED_PROXIES"}
PUBLISHED = {"ingress", "prometheus", "grafana"}
CAPABILITIES = {"ingress": ["NET_BIND_SERVICE"]}
"""Of programs that carry one and cannot be started without it."""
WRITES_TO_TMP = {*OURS, "grafana"}
HEALTH = {
    "ingress": "http://127.0.0.1:1456/",
    "redis-exporter": "http://127.0.0.1:9121/health",
    "prometheus": "http://127.0.0.1:9090/-/ready",
    "alertmanager": "http://127.0.0.1:9093/-/ready",
    "grafana": "http://127.0.0.1:3000/api/health",
}
"""Where the images of others say that they are well."""
OF_BODIES, AT_REST = 3, 200 << 20
"""How many times its size a body may take while it is worked on, and what a gateway takes without any."""
MOST_SECONDS = 30
"""Between two scrapes: the rules look at five minutes."""
LEAST_DAYS = 8
"""Of figures: the dashboards look back a week."""


def faults(stack: dict[str, Any]) -> list[str]:
    services = stack["services"]
    found = [fault for name, service in services.items() for fault in service_faults(name, service)]
    for name, target in OURS.items():
        service = services[name]
        if service["build"]["target"] != target or f"/{target}:" not in f"/{service['image']}":
            found.append(f"{name} is {service['build']['target']} in {service['image']}")
        wanted = TOLD | ({"ADMIN_PASSWORD_FILE"} if name == "console" else set())
        missing = wanted - set(service["environment"])
        found += [f"{name} is not told its {each}" for each in sorted(missing)]
    bodies = (GatewaySettings().body_memory_mib << 20) * OF_BODIES
    for name in ("gateway-a", "gateway-b"):
        if int(services[name]["mem_limit"]) < bodies + AT_REST:
            found.append(f"{name} is killed by the bodies that it takes")
    return found + board_faults(services)


def service_faults(name: str, service: dict[str, Any]) -> list[str]:
    """What of one container is open, missing or asked in vain."""
    found = []
    if service.get("ports") and name not in PUBLISHED:
        found.append(f"{name} can be reached from outside")
    if (service.get("cap_add") or []) != CAPABILITIES.get(name, []):
        found.append(f"{name} has {service.get('cap_add')}")
    if name in WRITES_TO_TMP and "/tmp" not in service.get("tmpfs", ()):  # noqa: S108 - of the images
        found.append(f"{name} cannot write to /tmp")
    for volume in service.get("volumes") or ():
        if volume["type"] == "bind" and not pathlib.Path(volume["source"]).exists():
            found.append(f"{name} is given {volume['source']}, which is not there")
    asked = " ".join((service.get("healthcheck") or {}).get("test", ()))
    if name in HEALTH and HEALTH[name] not in asked.split():
        found.append(f"{name} is asked {asked!r}")
    if name == "redis" and "redis-cli -e ping" not in asked:
        found.append("redis is well while it is loading")
    return found


def board_faults(services: dict[str, Any]) -> list[str]:
    """Dashboards that are not there, and figures that are gone before somebody looks."""
    found = []
    mounted = {each["target"]: each.get("source", "") for each in services["grafana"]["volumes"]}
    told = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    folder, _, board = told.rpartition("/")
    if not pathlib.Path(mounted.get(folder, ""), board).is_file():
        found.append(f"grafana begins with {told}, which is not there")
    kept = re.findall(r"retention\.time=(\d+)d\b", " ".join(services["prometheus"]["command"]))
    if not kept or int(kept[0]) < LEAST_DAYS:
        found.append("prometheus forgets before the dashboards look")
    return found


def watching_faults(text: str) -> list[str]:
    """Jobs that rules and dashboards ask for by another name, and scrapes too seldom for them."""
    told = yaml.safe_load(text)
    jobs = {job["job_name"] for job in told["scrape_configs"]}
    rules = (DEPLOY / "prometheus" / "alerts.yml").read_text()
    asked = set(re.findall(r'\bjob="(\w+)"', rules + "".join(query for _, _, query in panels())))
    found = [f"nobody is called {job}" for job in sorted(asked - jobs)]
    intervals = [told["global"]["scrape_interval"]]
    intervals += [job.get("scrape_interval", "15s") for job in told["scrape_configs"]]
    return found + [
        f"asks every {each}"
        for each in intervals
        if not re.fullmatch(r"\d+s", each) or int(each[:-1]) > MOST_SECONDS
    ]


def test_prometheus_asks_as_the_rules_and_dashboards_expect() -> None:
    text = (DEPLOY / "compose" / "prometheus.yml").read_text()

    assert watching_faults(text) == []
    for right, wrong in (
        ("job_name: gateway", "job_name: gateways"),
        ("scrape_interval: 15s", "scrape_interval: 5m"),
    ):
        assert right in text
        assert watching_faults(text.replace(right, wrong)), wrong


@pytest.fixture(scope="module")
def stack() -> dict[str, Any]:
    return composed("compose.yaml")


def test_every_container_is_what_it_is_called_and_can_do_its_work(stack: dict[str, Any]) -> None:
    assert faults(stack) == []


@pytest.mark.parametrize(
    ("service", "path", "value"),
    [
        ("redis", ("ports",), [{"target": 6379, "published": "6379", "host_ip": "127.0.0.1"}]),
        ("console", ("build", "target"), "gateway"),
        ("console", ("image",), "codex-proapi/gateway:0.1.0"),
        ("gateway-b", ("image",), "codex-proapi/console:0.1.0"),
        ("redis-exporter", ("healthcheck", "test"), ["NONE"]),
        (
            *("grafana", ("healthcheck", "test", 5)),
            "http://127.0.0.1:3000/api/healthz",
        ),
        ("redis", ("healthcheck", "test", 1), "redis-cli ping"),
        ("ingress", ("cap_add",), None),
        ("console", ("cap_add",), ["NET_ADMIN"]),
        ("gateway-a", ("mem_limit",), str(256 << 20)),
        ("prometheus", ("command",), ["--storage.tsdb.retention.time=30m"]),
        ("grafana", ("tmpfs",), []),
        (
            *("grafana", ("environment", "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH")),
            "/etc/dashboards/pools.json",
        ),
    ],
)
def test_a_container_that_is_something_else_is_found(
    stack: dict[str, Any], service: str, path: tuple[Any, ...], value: Any
) -> None:
    broken = json.loads(json.dumps(stack))
    place = broken["services"][service]
    for step in path[:-1]:
        place = place[step]
    assert (place.get(path[-1]) if isinstance(place, dict) else place[path[-1]]) != value
    place[path[-1]] = value

    assert faults(broken)


@pytest.mark.parametrize("name", ["HOST", "REDIS_URL_FILE", "ADMIN_PASSWORD_FILE"])
def test_a_setting_that_a_container_needs_is_missed(stack: dict[str, Any], name: str) -> None:
    broken = json.loads(json.dumps(stack))
    del broken["services"]["console"]["environment"][name]

    assert faults(broken) == [f"console is not told its {name}"]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("grafana/dashboards", "grafana/boards"),
        ("deploy/prometheus", "deploy/prom"),
        ("compose/alertmanager.yml", "compose/alerts.yml"),
    ],
)
def test_a_file_of_another_place_is_missed(stack: dict[str, Any], right: str, wrong: str) -> None:
    text = json.dumps(stack)
    assert right in text

    assert faults(json.loads(text.replace(right, wrong)))


def test_certificates_without_a_name_are_refused() -> None:
    """Otherwise the ports of HTTPS are open and nobody answers on them."""
    files = [DEPLOY / "compose" / name for name in ("compose.yaml", "compose.tls.yaml")]
    told = {**ENVIRONMENT, "SITE_ADDRESS": ""}

    done = run("docker-compose", "-f", files[0], "-f", files[1], "config", "--quiet", env=told)

    assert done.returncode != 0
    assert "the name of this server" in done.stderr
