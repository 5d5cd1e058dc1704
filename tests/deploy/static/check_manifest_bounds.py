"""Numbers, owners, modes and ports that a cluster would refuse or that leave pods idle; faults are found."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from deploy.manifests import container_ports, named, pod_makers, pod_template, workload, workloads
from deploy.manifests import planted as planted_in
from deploy.toolbox import DEPLOY, Manifest, of_kind

SECRETS = {"codex-proapi-keys", "codex-proapi-redis"}
"""What docs/running.md tells everybody to make."""
GROUP_READS = 0o440
ONE_CORE = 1000
"""Millicores a gateway can use: it is one process."""
MOST_SECONDS = 30
"""Between two scrapes: the rules look at five minutes, and two of ten scrapes may be missed."""
METRICS_PORTS = {"gateway": "http", "console": "http", "redis": "metrics"}
UNITS = {"m": 0.001, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
MOST_COPIES = 4
"""Times its memory that a Redis may need on disk: its files, those of a rewrite, and room for both."""


def quantity(text: str) -> float:
    """A quantity of Kubernetes, such as 250m or 1Gi."""
    number, unit = re.fullmatch(r"([\d.]+)(\w*)", str(text)).groups()  # type: ignore[union-attr]
    return float(number) * (UNITS[unit] if unit else 1)


# --- pods --------------------------------------------------------------------------------------


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, dict[str, Any]]]:
    for maker in pod_makers(manifests):
        yield maker["metadata"]["name"], pod_template(maker)["spec"]


def pod_faults(manifests: list[Manifest]) -> list[str]:
    """Pods that the API refuses, that the kubelet does not start, or that cannot read their files."""
    found = []
    for name, pod in pods(manifests):
        safety = pod["securityContext"]
        for container in pod["containers"]:
            resources = container.get("resources", {})
            for kind, limit in resources.get("limits", {}).items():
                if quantity(resources.get("requests", {}).get(kind, "0")) > quantity(limit):
                    found.append(f"{name}: more {kind} is requested than allowed")
            if container["securityContext"].get("runAsUser", safety["runAsUser"]) == 0:
                found.append(f"{name}: {container['name']} is root, and does not start")
        secrets = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
        if secrets and safety.get("fsGroup") != safety["runAsGroup"]:
            found.append(f"{name} cannot read its secrets")
        for secret in secrets:
            if secret["defaultMode"] != GROUP_READS:
                found.append(f"{name}: {secret['secretName']} has mode {secret['defaultMode']:o}")
            if secret["secretName"] not in SECRETS and secret.get("optional") is not True:
                found.append(f"{name} waits for {secret['secretName']}, which nobody must make")
    return found


def scale_faults(manifests: list[Manifest]) -> list[str]:
    """Pods that are never scaled, budgets that keep a node from being emptied."""
    found = []
    for budget in of_kind(manifests, "PodDisruptionBudget"):
        name, policy = budget["metadata"]["name"], budget["spec"].get("unhealthyPodEvictionPolicy")
        # A service without its Redis is not ready anywhere. A Redis that is not ready may be the
        # one that holds the data.
        if (policy == "AlwaysAllow") != (name in ("gateway", "console")):
            found.append(f"the budget {name} has {policy} for pods that are not ready")
    for scaler in of_kind(manifests, "HorizontalPodAutoscaler"):
        spec = scaler["spec"]
        if spec["maxReplicas"] <= spec["minReplicas"]:
            found.append("nothing is scaled")
        container = pod_template(workload(manifests, scaler["metadata"]["name"]))["spec"][
            "containers"
        ][0]
        requested = quantity(container["resources"]["requests"]["cpu"]) * 1000
        for metric in spec["metrics"]:
            share = metric.get("resource", {}).get("target", {}).get("averageUtilization", 0)
            if requested * share / 100 >= ONE_CORE:
                found.append(f"{share} % of {requested} millicores are never used")
    return found


def redis_faults(manifests: list[Manifest]) -> list[str]:
    """A Redis that has no room, or that is several without knowing of each other."""
    redis = workload(manifests, "redis")["spec"]
    config = (DEPLOY / "redis" / "redis.conf").read_text()
    (most,) = re.findall(r"^maxmemory (\d+)mb", config, re.MULTILINE)
    found = []
    for claim in redis["volumeClaimTemplates"]:
        if claim["spec"]["accessModes"] != ["ReadWriteOnce"]:
            found.append(f"{claim['metadata']['name']} is {claim['spec']['accessModes']}")
        room = quantity(claim["spec"]["resources"]["requests"]["storage"])
        if claim["metadata"]["name"] == "data" and room < MOST_COPIES * int(most) << 20:
            found.append(f"{room} bytes for the files of {most} MB")
    if "sentinel" not in container_ports(manifests, "redis"):
        return found if redis["replicas"] == 1 else [*found, "two Redis that share nothing"]
    service = named(manifests, "Service", "redis")["spec"]
    if service.get("publishNotReadyAddresses") is not True:
        found.append("a member that is not ready is not found, and so never becomes ready")
    if redis.get("podManagementPolicy") != "Parallel":
        found.append("the second member waits for the first, which waits for the others")
    if redis.get("minReadySeconds", 0) < 1:
        found.append("the next one goes before the last has caught up")
    return found + script_faults(manifests)


def script_faults(manifests: list[Manifest]) -> list[str]:
    """Scripts that a container is told to run and does not have."""
    (pod,) = [pod for name, pod in pods(manifests) if name == "redis"]
    (maps,) = [v["configMap"]["name"] for v in pod["volumes"] if v["name"] == "scripts"]
    there = {f"/scripts/{file}" for file in named(manifests, "ConfigMap", maps)["data"]}
    told = set(re.findall(r"/scripts/[\w.-]+", yaml.safe_dump(pod["containers"])))
    found = [f"no {path}" for path in sorted(told - there)]
    if there != told:
        found.append(f"nobody runs {sorted(there - told)}")
    return found


# --- what leads to them ------------------------------------------------------------------------


def service_faults(manifests: list[Manifest]) -> list[str]:
    """Services whose ports lead to others of the same pods."""
    found = []
    for service in of_kind(manifests, "Service"):
        name, spec = service["metadata"]["name"], service["spec"]
        if not spec.get("selector"):
            continue
        ports = container_ports(manifests, name)
        for port in spec["ports"]:
            if port["targetPort"] != port["name"]:
                found.append(f"{name}: {port['name']} leads to {port['targetPort']}")
            # Whoever asks a headless Service asks the pod, on the Service's number.
            if spec.get("clusterIP") == "None" and port["port"] != ports[port["name"]]:
                found.append(f"{name}: {port['port']} is not {port['name']}'s")
    return found


def way_faults(manifests: list[Manifest]) -> list[str]:
    """An address without TLS, and an ingress of a class that the annotations are not for."""
    (settings,) = [
        m["data"]
        for m in of_kind(manifests, "ConfigMap")
        if m["metadata"]["name"].startswith("settings")
    ]
    found = []
    if not settings.get("PUBLIC_URL", "https:").startswith("https:"):
        found.append(f"cookies and logins of {settings['PUBLIC_URL']} go without TLS")
    for ingress in of_kind(manifests, "Ingress"):
        if ingress["spec"]["ingressClassName"] != "nginx":
            found.append("the annotations are for another ingress controller")
    return found


def watching_faults(manifests: list[Manifest]) -> list[str]:
    """Scrapes that are too seldom for the rules, or that ask a port without figures."""
    found = []
    for monitor in of_kind(manifests, "ServiceMonitor"):
        for endpoint in monitor["spec"]["endpoints"]:
            if int(endpoint["interval"].removesuffix("s")) > MOST_SECONDS:
                found.append(f"{monitor['metadata']['name']} asks every {endpoint['interval']}")
    for each in workloads(manifests):
        name, notes = each["metadata"]["name"], pod_template(each)["metadata"].get("annotations")
        if not notes:
            continue
        wanted = str(container_ports(manifests, name)[METRICS_PORTS[name]])
        if notes["prometheus.io/port"] != wanted or notes["prometheus.io/path"] != "/metrics":
            found.append(f"{name} is asked on {notes}")
    return found


def faults(manifests: list[Manifest]) -> list[str]:
    return [
        *(*pod_faults(manifests), *scale_faults(manifests), *redis_faults(manifests)),
        *(*service_faults(manifests), *way_faults(manifests), *watching_faults(manifests)),
    ]


def test_what_pods_ask_for_can_be_given_and_is_used(manifests: list[Manifest]) -> None:
    assert faults(manifests) == []


# --- planted faults ----------------------------------------------------------------------------

POD = ("spec", "template", "spec")
FIRST = (*POD, "containers", 0)
NOTES = ("spec", "template", "metadata", "annotations")
CLAIM = ("spec", "volumeClaimTemplates", 0, "spec")
CPU = ("spec", "metrics", 0, "resource", "target", "averageUtilization")


@pytest.mark.parametrize(
    ("kind", "name", "path", "value"),
    [
        ("Deployment", "gateway", (*FIRST, "resources", "requests", "memory"), "2Gi"),
        ("StatefulSet", "redis", (*POD, "containers", 1, "securityContext", "runAsUser"), 0),
        ("Deployment", "console", (*POD, "securityContext", "runAsUser"), 0),
        ("Deployment", "gateway", (*POD, "securityContext", "fsGroup"), 0),
        ("Deployment", "console", (*POD, "volumes", 0, "secret", "defaultMode"), 0o400),
        ("Deployment", "gateway", (*POD, "volumes", 2, "secret", "optional"), False),
        ("PodDisruptionBudget", "gateway", ("spec", "unhealthyPodEvictionPolicy"), None),
        ("HorizontalPodAutoscaler", "gateway", ("spec", "maxReplicas"), 2),
        ("HorizontalPodAutoscaler", "gateway", CPU, 700),
        ("StatefulSet", "redis", ("spec", "replicas"), 2),
        ("StatefulSet", "redis", (*CLAIM, "resources", "requests", "storage"), "50Mi"),
        ("StatefulSet", "redis", (*CLAIM, "accessModes"), ["ReadOnlyMany"]),
        ("Service", "redis", ("spec", "ports", 0, "targetPort"), "metrics"),
        ("Service", "redis", ("spec", "ports", 0, "port"), 6380),
        ("ServiceMonitor", "codex-proapi", ("spec", "endpoints", 0, "interval"), "300s"),
        ("StatefulSet", "redis", (*NOTES, "prometheus.io/port"), "6379"),
        ("Deployment", "gateway", (*NOTES, "prometheus.io/path"), "/"),
    ],
)
def test_what_cannot_be_given_or_is_never_used_is_found(
    example: list[Manifest], kind: str, name: str, path: tuple[Any, ...], value: Any
) -> None:
    assert faults(planted_in(example, kind, name, *path, value=value))


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Service", ("spec", "publishNotReadyAddresses"), False),
        ("StatefulSet", ("spec", "podManagementPolicy"), "OrderedReady"),
        ("StatefulSet", ("spec", "minReadySeconds"), 0),
        (
            *("StatefulSet", (*FIRST, "lifecycle", "preStop", "exec", "command")),
            ["/bin/sh", "/scripts/stop.sh"],
        ),
        (
            *("StatefulSet", (*FIRST, "lifecycle", "preStop", "exec", "command")),
            ["/bin/true"],
        ),
    ],
)
def test_a_group_that_does_not_form_or_hand_over_is_found(
    ha: list[Manifest], kind: str, path: tuple[Any, ...], value: Any
) -> None:
    assert faults(planted_in(ha, kind, "redis", *path, value=value))


def test_a_way_in_that_fits_nobody_is_found(all_rendered: dict[str, list[Manifest]]) -> None:
    manifests = all_rendered["ingress-nginx"]
    (settings,) = [
        m["metadata"]["name"]
        for m in of_kind(manifests, "ConfigMap")
        if m["metadata"]["name"].startswith("settings")
    ]
    plain = ("ConfigMap", settings, "data", "PUBLIC_URL")
    other = ("Ingress", "codex-proapi", "spec", "ingressClassName")

    assert faults(planted_in(manifests, *plain, value="http://codex.example.com"))
    assert faults(planted_in(manifests, *other, value="traefik"))
