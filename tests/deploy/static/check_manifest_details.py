"""Details of probes, routes, rollouts and settings that change what they mean; planted faults are found."""

import ipaddress
import re
from collections.abc import Iterator
from typing import Any

import pytest
from deploy.manifests import named, places, planted, pod_template, workload, workloads
from deploy.static.check_manifest_bounds import quantity
from deploy.toolbox import DEPLOY, Manifest, of_kind

from codex_proapi.commons.runtime.setting_names import KNOWN_NAMES

PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
HEALTH_OF_EXPORTER = "/health"
MOST_UP = 60
"""Seconds after which a rush gets more pods at the latest."""
LEAST_DOWN = 60
"""Seconds between two pods that go."""
LEAST_TMP = 16 << 20
LAST_SECONDS = 20
"""What a Redis needs to end once it has handed over."""


def probes(container: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in PROBES:
        if kind in container:
            yield kind, container[kind]


def probe_faults(manifests: list[Manifest]) -> list[str]:
    """Probes that ask a port their container has not, or in another way than it answers."""
    found = []
    for each in workloads(manifests):
        for container in pod_template(each)["spec"]["containers"]:
            name = f"{each['metadata']['name']}/{container['name']}"
            ports = {port["name"]: port["containerPort"] for port in container.get("ports", ())}
            for kind, probe in probes(container):
                ways = [probe[way] for way in ("httpGet", "tcpSocket") if way in probe]
                asked = [way["port"] for way in ways]
                command = " ".join(probe.get("exec", {}).get("command", ()))
                asked += [int(port) for port in re.findall(r"-p (\d+)", command)]
                if any(port not in (*ports, *ports.values()) for port in asked):
                    found.append(f"{name}: {kind} asks {asked}")
                if any(way.get("scheme", "HTTP") != "HTTP" for way in ways):
                    found.append(f"{name}: {kind} asks over TLS")
                path = probe.get("httpGet", {}).get("path", HEALTH_OF_EXPORTER)
                if container["name"] == "exporter" and path != HEALTH_OF_EXPORTER:
                    found.append(f"{name}: {kind} asks for {path}")
    return found


def route_faults(manifests: list[Manifest]) -> list[str]:
    """Routes that let only some requests through, or change or repeat them."""
    found = []
    for route in of_kind(manifests, "HTTPRoute"):
        for rule in route["spec"]["rules"]:
            if set(rule) - {"matches", "timeouts", "backendRefs"}:
                found.append(f"a rule also has {sorted(rule)}")
            found += [f"only {match}" for match in rule["matches"] if set(match) != {"path"}]
            for reference in rule.get("backendRefs", ()):
                if set(reference) != {"name", "port"}:
                    found.append(f"asks {reference}")
    for monitor in of_kind(manifests, "ServiceMonitor"):
        schemes = {endpoint.get("scheme", "http") for endpoint in monitor["spec"]["endpoints"]}
        if schemes != {"http"} or "namespaceSelector" in monitor["spec"]:
            found.append(f"{monitor['metadata']['name']} looks elsewhere")
    return found


def rollout_faults(manifests: list[Manifest]) -> list[str]:
    """Deployments that stand still or cannot go back, and a scaler that is late or hasty."""
    found = []
    for deployment in of_kind(manifests, "Deployment"):
        name, spec = deployment["metadata"]["name"], deployment["spec"]
        if spec.get("paused") or not spec.get("revisionHistoryLimit"):
            found.append(f"{name} is not rolled out, or not back")
    for scaler in of_kind(manifests, "HorizontalPodAutoscaler"):
        behavior = scaler["spec"]["behavior"]
        up, down = behavior["scaleUp"], behavior["scaleDown"]
        if up.get("selectPolicy") == "Disabled" or up["stabilizationWindowSeconds"] > MOST_UP:
            found.append("a rush gets no pods")
        if any(policy["periodSeconds"] < LEAST_DOWN for policy in down["policies"]):
            found.append("pods go one after the other, before the first has drained")
    return found


def room_faults(manifests: list[Manifest]) -> list[str]:
    """A home that cannot be written to, and a primary that is killed while it hands over."""
    found = []
    for name in ("gateway", "console"):
        pod = pod_template(workload(manifests, name))["spec"]
        (volume,) = [v["emptyDir"] for v in pod["volumes"] if v["name"] == "tmp"]
        (mount,) = [m for m in pod["containers"][0]["volumeMounts"] if m["name"] == "tmp"]
        if mount.get("readOnly") or quantity(volume["sizeLimit"]) < LEAST_TMP:
            found.append(f"{name} cannot write to its home")
    script = (DEPLOY / "k8s" / "components" / "sentinel" / "stop-redis.sh").read_text()
    (handover,) = re.findall(r"HANDOVER:=(\d+)", script)
    redis = pod_template(workload(manifests, "redis"))["spec"]
    if redis["terminationGracePeriodSeconds"] < int(handover) + LAST_SECONDS:
        found.append(f"{handover} s to hand over, and then it is killed")
    return found


def settings_faults(manifests: list[Manifest]) -> list[str]:
    """Settings that are none, let anybody in, or believe anybody."""
    (settings,) = [
        m["data"]
        for m in of_kind(manifests, "ConfigMap")
        if m["metadata"]["name"].startswith("settings")
    ]
    unknown = {name.removesuffix("_FILE") for name in settings} - KNOWN_NAMES
    found = [f"{name} is no setting" for name in sorted(unknown)]
    if settings["API_KEY_POLICY"] != "required":
        found.append("anybody may ask")
    for network in filter(None, settings.get("TRUSTED_PROXIES", "").split(",")):
        if ipaddress.ip_network(network).is_global or ipaddress.ip_network(network).prefixlen < 8:
            found.append(f"{network} is believed")
    return found


def faults(manifests: list[Manifest]) -> list[str]:
    return [
        *(*probe_faults(manifests), *route_faults(manifests), *rollout_faults(manifests)),
        *(*room_faults(manifests), *settings_faults(manifests)),
    ]


def test_details_mean_what_the_rest_says(manifests: list[Manifest]) -> None:
    assert faults(manifests) == []


POD = ("spec", "template", "spec")
FIRST = (*POD, "containers", 0)
RULE = ("spec", "rules", 0)
BACKEND = {"name": "gateway", "port": 80}
BEHAVIOR = ("spec", "behavior")


@pytest.mark.parametrize(
    ("kind", "name", "path", "value"),
    [
        ("Deployment", "console", (*FIRST, "startupProbe", "httpGet", "port"), 8080),
        (
            *("Deployment", "gateway", (*FIRST, "readinessProbe", "httpGet")),
            {"path": "/readyz", "port": "http", "scheme": "HTTPS"},
        ),
        ("StatefulSet", "redis", (*FIRST, "startupProbe", "tcpSocket", "port"), 6380),
        (
            *("StatefulSet", "redis"),
            *((*POD, "containers", 1, "readinessProbe", "httpGet", "path"), "/healthy"),
        ),
        ("HTTPRoute", "codex-proapi", (*RULE, "matches", 0), {"method": "GET"}),
        ("HTTPRoute", "codex-proapi", (*RULE, "backendRefs", 0), {**BACKEND, "weight": 0}),
        ("HTTPRoute", "codex-proapi", RULE, {"matches": [], "retry": {}}),
        ("Deployment", "gateway", ("spec", "revisionHistoryLimit"), 0),
        (
            "HorizontalPodAutoscaler",
            "gateway",
            (*BEHAVIOR, "scaleUp"),
            {"selectPolicy": "Disabled"},
        ),
        (
            *("HorizontalPodAutoscaler", "gateway"),
            *((*BEHAVIOR, "scaleUp", "stabilizationWindowSeconds"), 3600),
        ),
        (
            *("HorizontalPodAutoscaler", "gateway"),
            *((*BEHAVIOR, "scaleDown", "policies", 0, "periodSeconds"), 5),
        ),
        ("Deployment", "gateway", (*POD, "volumes", 3, "emptyDir", "sizeLimit"), "64Ki"),
        ("StatefulSet", "redis", (*POD, "terminationGracePeriodSeconds"), 30),
    ],
)
def test_a_detail_that_means_something_else_is_found(
    example: list[Manifest], kind: str, name: str, path: tuple[Any, ...], value: Any
) -> None:
    assert faults(planted(example, kind, name, *path, value=value))


def test_a_probe_of_another_port_of_the_group_is_found(ha: list[Manifest]) -> None:
    ways = list(places(named(ha, "StatefulSet", "redis"), "26379"))

    assert ways
    for path in ways:
        assert faults(planted(ha, "StatefulSet", "redis", *path, value="26380")), path


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_KEY_POLICY", "open"),
        ("TRUSTED_PROXIES", "0.0.0.0/0"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,8.8.8.0/24"),
    ],
)
def test_a_setting_that_lets_anybody_in_is_found(
    example: list[Manifest], name: str, value: str
) -> None:
    (settings,) = [
        m["metadata"]["name"]
        for m in of_kind(example, "ConfigMap")
        if m["metadata"]["name"].startswith("settings")
    ]

    assert faults(planted(example, "ConfigMap", settings, "data", name, value=value))
    misspelt = planted(example, "ConfigMap", settings, "data", value={"API_KEY_POLICY": "required"})
    named(misspelt, "ConfigMap", settings)["data"]["LOGLEVEL"] = "info"
    assert faults(misspelt)
