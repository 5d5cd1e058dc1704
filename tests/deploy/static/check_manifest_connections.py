"""Who reaches whom in the manifests: policies, monitors, Redis; each check finds its planted fault."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from deploy.manifests import (
    Peer,
    container_ports,
    may_connect,
    named,
    places,
    planted,
    pod_labels,
    selects,
    workload,
    workloads,
)
from deploy.toolbox import DEPLOY, Manifest, of_kind
from prometheus_client import CollectorRegistry

from codex_proapi.gateway.api.paths import FIGURES
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.settings import GatewaySettings

ALIVE, READY = "/health", "/readyz"
"""What a liveness probe asks (the process alone) and what a readiness probe asks (Redis too)."""
CONSOLE_PATHS = (
    "/",
    "/accounts",
    "/api/session",
    "/static/app.js",
    "/auth/callback",
    "/v2",
    "/x/v1",
)
Fault = tuple[str, Callable[[list[Manifest]], list[Manifest]]]


LABEL = "app.kubernetes.io/name"


# --- network policies --------------------------------------------------------------------------

INTERNET, INTERNET_6 = Peer(address="104.18.32.47"), Peer(address="2606:4700::1")
GATEWAY, CONSOLE, REDIS = Peer(pod="gateway"), Peer(pod="console"), Peer(pod="redis")
RESEAL = Peer(pod="reseal")
DNS, INGRESS, GATEWAYS = (
    Peer(namespace=name) for name in ("kube-system", "ingress-nginx", "gateway-system")
)
MONITORING, STRANGER = Peer(namespace="monitoring"), Peer(namespace="default")
NEIGHBOUR = Peer(pod="shop", labels={LABEL: "shop"})
"""A pod of somebody else in our namespace."""
ANYBODY = {"key": LABEL, "operator": "Exists"}
METADATA, CLUSTER = Peer(address="169.254.169.254"), Peer(address="10.96.0.1")
INSIDE = [
    *(METADATA, CLUSTER, Peer(address="100.64.0.1"), Peer(address="172.20.0.1")),
    *(Peer(address="192.168.1.1"), Peer(address="fd00::1"), Peer(address="fe80::1")),
]
"""Addresses that belong to clusters and clouds, of each kind that there is."""
MAY = [
    *((service, REDIS, 6379, "TCP") for service in (GATEWAY, CONSOLE, RESEAL)),
    *((service, DNS, 53, way) for service in (GATEWAY, CONSOLE, RESEAL) for way in ("UDP", "TCP")),
    *((service, INTERNET, 443, "TCP") for service in (GATEWAY, CONSOLE)),
    *((service, INTERNET_6, 443, "TCP") for service in (GATEWAY, CONSOLE)),
    *((who, GATEWAY, 8080, "TCP") for who in (INGRESS, GATEWAYS, MONITORING)),
    *((who, CONSOLE, 8081, "TCP") for who in (INGRESS, GATEWAYS, MONITORING)),
    (MONITORING, REDIS, 9121, "TCP"),
]
MAY_NOT = [
    *((STRANGER, target, port, "TCP") for target, port in ((GATEWAY, 8080), (CONSOLE, 8081))),
    *((who, REDIS, 6379, "TCP") for who in (STRANGER, INGRESS, MONITORING, NEIGHBOUR)),
    *((NEIGHBOUR, target, port, "TCP") for target, port in ((GATEWAY, 8080), (CONSOLE, 8081))),
    *((REDIS, target, 443, "TCP") for target in (INTERNET, CLUSTER)),
    *((service, target, 443, "TCP") for service in (GATEWAY, CONSOLE) for target in INSIDE),
    *((service, INTERNET, port, "TCP") for service in (GATEWAY, CONSOLE) for port in (80, 25)),
    *((RESEAL, target, 443, "TCP") for target in (INTERNET, CLUSTER, METADATA)),
    (RESEAL, GATEWAY, 8080, "TCP"),
    (GATEWAY, CONSOLE, 8081, "TCP"),
    (CONSOLE, GATEWAY, 8080, "TCP"),
    (INGRESS, GATEWAY, 9121, "TCP"),
]
"""Who must reach whom and who must not, the port as the pod has it."""
AMONG_SENTINELS = [
    *((service, REDIS, 26379, "TCP") for service in (GATEWAY, CONSOLE, RESEAL)),
    *((REDIS, REDIS, port, "TCP") for port in (6379, 26379)),
    *((REDIS, DNS, 53, way) for way in ("UDP", "TCP")),
]


def network_faults(manifests: list[Manifest]) -> list[str]:
    may = [*MAY, *(AMONG_SENTINELS if replicated(manifests) else ())]
    found = [
        f"{s} cannot reach {t}:{p}" for s, t, p, w in may if not may_connect(manifests, s, t, p, w)
    ]
    if not any(closes_all(policy["spec"]) for policy in of_kind(manifests, "NetworkPolicy")):
        found.append("a pod that no policy names is open")
    return found + [
        f"{s} reaches {t}:{p}" for s, t, p, w in MAY_NOT if may_connect(manifests, s, t, p, w)
    ]


def closes_all(policy: dict[str, Any]) -> bool:
    """Whether a policy closes every pod in both directions and opens none."""
    return policy["podSelector"] == {} and {"Ingress", "Egress"} == set(policy["policyTypes"])


def replicated(manifests: list[Manifest]) -> bool:
    return "sentinel" in container_ports(manifests, "redis")


def test_whoever_must_reach_somebody_does_and_nobody_else(manifests: list[Manifest]) -> None:
    assert network_faults(manifests) == []


@pytest.mark.parametrize(
    ("policy", "wanted", "value"),
    [
        ("services-to-redis", "redis", "metrics"),
        ("services", 443, 8443),
        ("services", 53, 54),
        ("services", "fe80::/10", "::/0"),
        ("services", "fc00::/7", "2001:db8::/32"),
        ("services", "172.16.0.0/12", "192.0.2.0/24"),
        ("services", "169.254.0.0/16", "192.0.2.0/24"),
        ("services", "ingress-nginx", "ingress"),
        ("redis", "monitoring", "metrics"),
        ("redis", "redis", "rediss"),
        (
            "redis",
            {"key": LABEL, "operator": "In", "values": ["gateway", "console", "reseal"]},
            ANYBODY,
        ),
        ("redis", "reseal", "resealed"),
        ("reseal", 53, 54),
    ],
)
def test_a_policy_that_closes_or_opens_the_wrong_way_is_found(
    example: list[Manifest], policy: str, wanted: Any, value: Any
) -> None:
    ways = list(places(named(example, "NetworkPolicy", policy)["spec"], wanted))

    assert ways
    for path in ways:
        broken = planted(example, "NetworkPolicy", policy, "spec", *path, value=value)
        assert network_faults(broken), path


def test_a_missing_policy_is_found(example: list[Manifest], ha: list[Manifest]) -> None:
    for manifests in (example, ha):
        for policy in of_kind(manifests, "NetworkPolicy"):
            rest = [each for each in manifests if each is not policy]

            assert network_faults(rest), policy["metadata"]["name"]


# --- monitoring --------------------------------------------------------------------------------


def monitor_faults(manifests: list[Manifest]) -> list[str]:
    found = []
    watched = set()
    for monitor in of_kind(manifests, "ServiceMonitor"):
        name, spec = monitor["metadata"]["name"], monitor["spec"]
        services = [
            service
            for service in of_kind(manifests, "Service")
            if selects(spec["selector"], service["metadata"].get("labels", {}))
        ]
        if not services:
            found.append(f"{name} watches nothing")
        for service in services:
            ports = {port["name"] for port in service["spec"]["ports"]}
            for endpoint in spec["endpoints"]:
                if endpoint["port"] not in ports:
                    found.append(
                        f"{name} asks {service['metadata']['name']} for {endpoint['port']}"
                    )
                if endpoint.get("path", FIGURES) != FIGURES:
                    found.append(f"{name} asks for {endpoint['path']}")
            watched.add(service["metadata"]["name"])
    if watched != {"gateway", "console", "redis"}:
        found.append(f"only {sorted(watched)} are watched")
    for each in workloads(manifests):
        template = each["spec"]["template"]
        port = template["metadata"].get("annotations", {}).get("prometheus.io/port")
        if port and int(port) not in container_ports(manifests, each["metadata"]["name"]).values():
            found.append(f"{each['metadata']['name']} is asked on {port}")
    return found


@pytest.mark.parametrize("overlay", ["example", "ingress-nginx", "ha"])
def test_monitors_ask_services_and_ports_that_are_there(
    all_rendered: dict[str, list[Manifest]], overlay: str
) -> None:
    assert monitor_faults(all_rendered[overlay]) == []


@pytest.mark.parametrize(
    ("kind", "name", "path", "value"),
    [
        ("ServiceMonitor", "codex-proapi", ("spec", "endpoints", 0, "port"), "metrics"),
        ("ServiceMonitor", "codex-proapi", ("spec", "endpoints", 0, "path"), "/figures"),
        (
            *("ServiceMonitor", "codex-proapi-redis"),
            *(("spec", "selector", "matchLabels", LABEL), "rediss"),
        ),
        (
            *("Deployment", "gateway"),
            ("spec", "template", "metadata", "annotations", "prometheus.io/port"),
            "9090",
        ),
    ],
)
def test_a_monitor_that_asks_in_vain_is_found(
    example: list[Manifest], kind: str, name: str, path: tuple[Any, ...], value: Any
) -> None:
    assert monitor_faults(planted(example, kind, name, *path, value=value))


SUM = "sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)"
FEW_STREAMS = 50
"""A pod for fewer would be one for each client."""


def scaling_faults(manifests: list[Manifest], rule: str) -> list[str]:
    """Metrics an autoscaler asks for that no adapter's rule gives, or that nobody counts."""
    given = {each["name"]["matches"]: each["seriesQuery"] for each in yaml.safe_load(rule)}
    asked = {each["metricsQuery"] for each in yaml.safe_load(rule)}
    counted = {family.name for family in Metrics(CollectorRegistry()).registry.collect()}
    # Whatever series a pod has; the adapter fills in which pods it is about.
    found = [f"{each} is not all of a pod's" for each in asked if each != SUM]
    for scaler in of_kind(manifests, "HorizontalPodAutoscaler"):
        for metric in scaler["spec"]["metrics"]:
            if metric["type"] == "Pods":
                name = metric["pods"]["metric"]["name"]
                if name not in given:
                    found.append(f"no rule gives {name}")
                elif given[name].split("{")[0] not in counted:
                    found.append(f"nobody counts {given[name]}")
                each = int(metric["pods"]["target"]["averageValue"])
                if not FEW_STREAMS <= each < GatewaySettings().max_concurrent:
                    found.append(f"{each} streams are one pod's")
    return found


def test_the_autoscalers_metric_is_given_and_counted(ha: list[Manifest]) -> None:
    rule = (DEPLOY / "k8s" / "components" / "streams-hpa" / "adapter-rule.yaml").read_text()

    assert scaling_faults(ha, rule) == []
    for wrong in ("3", "3000"):
        path = ("spec", "metrics", 1, "pods", "target", "averageValue")
        broken = planted(ha, "HorizontalPodAutoscaler", "gateway", *path, value=wrong)
        assert scaling_faults(broken, rule)
    assert scaling_faults(ha, rule.replace("matches: gateway_exchanges", "matches: exchanges"))
    assert scaling_faults(ha, rule.replace("seriesQuery: gateway_exchanges", "seriesQuery: open"))
    assert scaling_faults(ha, rule.replace("sum(", "max("))


# --- Redis -------------------------------------------------------------------------------------


def redis_faults(manifests: list[Manifest], config: str) -> list[str]:
    """A Redis that may grow beyond its container, or Sentinels that know another group."""
    found = []
    container = workload(manifests, "redis")["spec"]["template"]["spec"]["containers"][0]
    limit = bytes_of(container["resources"]["limits"]["memory"])
    most = bytes_of(re.findall(r"^maxmemory (\S+)", config, re.MULTILINE)[0])
    # A rewrite of the append-only file may copy all of it.
    if 2 * most > limit:
        found.append(f"maxmemory {most} of {limit}")
    return found


def bytes_of(text: str) -> int:
    found = re.fullmatch(r"(\d+)(\w*)", text)
    assert found, text
    number, unit = int(found[1]), found[2]
    scale = {"": 1, "k": 1, "m": 2, "g": 3}[unit[:1].lower()] if unit else 0
    return int(number * 1024**scale)


def test_redis_fits_its_container(manifests: list[Manifest]) -> None:
    config = (DEPLOY / "redis" / "redis.conf").read_text()

    assert redis_faults(manifests, config) == []
    assert redis_faults(manifests, re.sub(r"maxmemory \S+", "maxmemory 4gb", config))


def test_the_group_of_sentinels_has_one_name() -> None:
    folder = DEPLOY / "k8s" / "components" / "sentinel"
    scripts = [(folder / f"start-{part}.sh").read_text() for part in ("redis", "sentinel")]
    groups = [re.findall(r"GROUP:=([\w-]+)", script)[0] for script in scripts]
    page = (DEPLOY.parent / "docs" / "running.md").read_text()
    documented = re.findall(r"redis\+sentinel://\S+/([\w-]+)/0", page)

    assert set(groups) == {"codex-proapi"}
    assert documented
    assert set(documented) == set(groups)


def test_the_members_of_the_group_are_named_in_any_namespace(ha: list[Manifest]) -> None:
    pod = workload(ha, "redis")["spec"]["template"]["spec"]

    names = [str(each) for container in pod["containers"] for each in container.get("env", ())]

    assert not [name for name in names if "cluster.local" in name or "codex-proapi.svc" in name]


def test_labels_that_select_are_those_of_pods(manifests: list[Manifest]) -> None:
    for service in of_kind(manifests, "Service"):
        selector = service["spec"].get("selector")
        if selector:
            assert any(
                selector.items() <= pod_labels(manifests, w["metadata"]["name"]).items()
                for w in workloads(manifests)
            ), service["metadata"]["name"]
