"""What the files of the compose stack say of each other fits together; each check finds its planted fault."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml  # type: ignore[import-untyped]
from deploy.toolbox import DEPLOY

COMPOSE = DEPLOY / "compose"
OWN_PORTS = {
    "redis": {6379},
    "redis-exporter": {9121},
    "prometheus": {9090},
    "alertmanager": {9093},
    "grafana": {3000},
    "ingress": {1455, 1456},
}
"""Where the images of others listen, and the listeners of the Caddyfile."""
NETWORKS = {
    **dict.fromkeys(
        ("gateway-a", "gateway-b", "console", "prometheus"), frozenset({"front", "store"})
    ),
    **dict.fromkeys(("redis", "redis-exporter"), frozenset({"store"})),
    **dict.fromkeys(("ingress", "alertmanager", "grafana"), frozenset({"front"})),
}

Texts = dict[str, str]


def texts() -> Texts:
    """The files of the stack, by their names."""
    names = (
        *("compose/compose.yaml", "compose/prometheus.yml", "compose/grafana/datasources.yml"),
        *("compose/grafana/dashboards.yml", "compose/Caddyfile", "redis/redis.conf"),
        "compose/secrets.sh",
    )
    return {name: (DEPLOY / name).read_text() for name in names}


def ports_of(service: dict[str, Any], name: str) -> set[int]:
    port = service.get("environment", {}).get("PORT")
    return {int(port)} if port else OWN_PORTS[name]


def is_wrong(address: str, services: dict[str, Any]) -> bool:
    """Whether nobody of the stack listens at `host:port`."""
    host, _, port = address.rpartition(":")
    return host not in services or int(port) not in ports_of(services[host], host)


def address_faults(files: Texts) -> list[str]:
    """Addresses at which nobody of the stack listens."""
    services = yaml.safe_load(files["compose/compose.yaml"])["services"]
    watching = yaml.safe_load(files["compose/prometheus.yml"])
    source = yaml.safe_load(files["compose/grafana/datasources.yml"])["datasources"][0]
    targets = [
        target
        for job in [*watching["scrape_configs"], *watching["alerting"]["alertmanagers"]]
        for group in job["static_configs"]
        for target in group["targets"]
    ]
    targets = [target.replace("localhost:", "prometheus:") for target in targets]
    watched = {target.rpartition(":")[0] for target in targets}
    expected = {"gateway-a", "gateway-b", "console", "redis-exporter", "prometheus"}
    found = [f"{name} is not watched" for name in expected - watched]
    behind = re.findall(r"\{\$(?:GATEWAYS|CONSOLES):([^}]+)\}", files["compose/Caddyfile"])
    addresses = [
        *targets,
        *(address for group in behind for address in group.split()),
        urlsplit(source["url"]).netloc,
        *re.findall(r"-redis\.addr=redis://(\S+)", files["compose/compose.yaml"]),
        *re.findall(r"redis://:%s@([\w.]+:\d+)/", files["compose/secrets.sh"]),
    ]
    found += [
        f"nobody listens at {address}" for address in addresses if is_wrong(address, services)
    ]
    if source["uid"] != "prometheus":
        found.append("the dashboards ask another source")
    return found


def port_faults(files: Texts) -> list[str]:
    """Published ports and health checks that meet nobody."""
    services = yaml.safe_load(files["compose/compose.yaml"])["services"]
    found = []
    for name, service in services.items():
        listening = ports_of(service, name)
        for published in service.get("ports", ()):
            if int(published.rpartition(":")[2]) not in listening:
                found.append(f"{name} publishes {published}")
        asked = re.findall(r"http://127\.0\.0\.1:(\d+)/", str(service.get("healthcheck", "")))
        found += [f"{name} is asked on {port}" for port in asked if int(port) not in listening]
        networks = set(service["networks"])
        if networks != NETWORKS[name]:
            found.append(f"{name} is in {sorted(networks)}")
    return found


def volume_faults(files: Texts) -> list[str]:
    """What would not outlast a container, and files that are mounted elsewhere than they are read."""
    stack = yaml.safe_load(files["compose/compose.yaml"])
    config = dict(re.findall(r"^([\w-]+) (.+)$", files["redis/redis.conf"], re.MULTILINE))
    found = []
    kept = {"redis": config["dir"], "prometheus": "/prometheus", "alertmanager": "/alertmanager"}
    kept |= {"grafana": "/var/lib/grafana", "ingress": "/data"}
    for name, folder in kept.items():
        mounted = [str(volume).split(":") for volume in stack["services"][name]["volumes"]]
        if not any(parts[0] in stack["volumes"] and parts[1] == folder for parts in mounted):
            found.append(f"{name} keeps nothing in {folder}")
    places = {
        (name, str(volume).removesuffix(":ro").rpartition(":")[2])
        for name, service in stack["services"].items()
        for volume in service.get("volumes", ())
    }
    rules = yaml.safe_load(files["compose/prometheus.yml"])["rule_files"]
    for path in rules:
        folder, _, file = path.rpartition("/")
        if ("prometheus", folder) not in places or not (DEPLOY / "prometheus" / file).is_file():
            found.append(f"prometheus has no {path}")
    boards = yaml.safe_load(files["compose/grafana/dashboards.yml"])["providers"][0]["options"]
    if ("grafana", boards["path"]) not in places:
        found.append(f"grafana has no {boards['path']}")
    (auth,) = [s["target"] for s in stack["services"]["redis"]["secrets"]]
    if config["include"] != auth:
        found.append(f"redis reads {config['include']}, and has {auth}")
    made = set(re.findall(r"^put (\w+)", files["compose/secrets.sh"], re.MULTILINE))
    for name, secret in stack["secrets"].items():
        if secret["file"].rpartition("/")[2] not in made:
            found.append(f"nobody makes {name}")
    return found


def room_faults(files: Texts) -> list[str]:
    """Secrets that a service is told of and does not have, and a Redis that outgrows its container."""
    services = yaml.safe_load(files["compose/compose.yaml"])["services"]
    found = []
    for name, service in services.items():
        told = f"{service.get('environment')} {service.get('command')} {service.get('healthcheck')}"
        has = {
            each["target"] if isinstance(each, dict) else f"/run/secrets/{each}"
            for each in service.get("secrets", ())
        }
        for path in sorted(set(re.findall(r"/run/secrets/[\w./-]+", told)) - has):
            found.append(f"{name} has no {path}")
    most = re.findall(r"^maxmemory (\d+)mb$", files["redis/redis.conf"], re.MULTILINE)
    limit = re.fullmatch(r"(\d+)([mg])", services["redis"]["mem_limit"])
    assert limit
    # A rewrite of the append-only file may copy all of it.
    if 2 * int(most[0]) > int(limit[1]) * (1024 if limit[2] == "g" else 1):
        found.append(f"redis may have {most[0]} MB, with a copy, in {limit[0]}")
    return found


def faults(files: Texts) -> list[str]:
    return [
        *(*address_faults(files), *port_faults(files), *volume_faults(files)),
        *room_faults(files),
    ]


def test_the_files_of_the_stack_fit_together() -> None:
    assert faults(texts()) == []


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("compose/prometheus.yml", "console:8081", "console:8082"),
        ("compose/prometheus.yml", '"gateway-a:8080", "gateway-b:8080"', '"gateway-a:8080"'),
        ("compose/prometheus.yml", "alertmanager:9093", "alertmanager:9094"),
        ("compose/prometheus.yml", "rules/alerts.yml", "rules/alert.yml"),
        ("compose/prometheus.yml", "/etc/prometheus/rules/", "/etc/rules/"),
        ("compose/grafana/datasources.yml", "prometheus:9090", "prometheus:9091"),
        ("compose/grafana/datasources.yml", "uid: prometheus", "uid: prom"),
        ("compose/grafana/dashboards.yml", "/etc/dashboards", "/etc/boards"),
        ("compose/compose.yaml", 'PORT: "8080"', 'PORT: "8090"'),
        ("compose/compose.yaml", ":-1455}:1455", ":-1455}:1457"),
        ("compose/compose.yaml", "127.0.0.1:1456/", "127.0.0.1:1457/"),
        ("compose/compose.yaml", "127.0.0.1:9093/-/ready", "127.0.0.1:9094/-/ready"),
        ("compose/compose.yaml", "redis.addr=redis://redis", "redis.addr=redis://localhost"),
        ("compose/compose.yaml", "redis-data:/data", "redis-data:/var/lib/redis"),
        ("compose/compose.yaml", "mem_limit: 1g\n  networks: [front, store]", "networks: [front]"),
        ("compose/compose.yaml", "mem_limit: 64m\n    networks: [store]", "networks: [front]"),
        ("compose/compose.yaml", "./secrets/encryption_keys", "./secrets/encryption_key"),
        ("compose/compose.yaml", "/run/secrets/redis/auth.conf}", "/run/secrets/auth.conf}"),
        ("compose/compose.yaml", "grafana-data:/var/lib/grafana", "grafana-data:/grafana"),
        ("compose/compose.yaml", "encryption_keys, admin_password]", "encryption_keys]"),
        ("compose/compose.yaml", "secrets: [redis_exporter]", "secrets: [redis_url]"),
        (
            "compose/compose.yaml",
            "mem_limit: 1g\n    networks: [store]",
            "mem_limit: 512m\n    networks: [store]",
        ),
        ("redis/redis.conf", "maxmemory 512mb", "maxmemory 900mb"),
        ("compose/Caddyfile", "gateway-b:8080", "gateway-c:8080"),
        ("compose/Caddyfile", "console:8081", "console:8080"),
        ("redis/redis.conf", "dir /data", "dir /var/lib/redis"),
        ("compose/secrets.sh", "%s@redis:6379/0", "%s@redis:6380/0"),
    ],
)
def test_a_file_that_does_not_fit_is_found(name: str, right: str, wrong: str) -> None:
    files = texts()
    assert right in files[name]

    assert faults({**files, name: files[name].replace(right, wrong)})
