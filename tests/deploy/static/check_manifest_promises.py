"""What the manifests promise of pods: told, patient, spread, scaled with care; faults are found."""

import re
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from deploy.manifests import (
    container_ports,
    named,
    places,
    planted,
    pod_labels,
    pod_makers,
    pod_template,
    selects,
    workload,
)
from deploy.toolbox import DEPLOY, Manifest, of_kind

from codex_proapi.gateway.settings import GatewaySettings

CONTAINER = ("spec", "template", "spec", "containers", 0)
NODES = {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
TOLD = {"HOST", "PORT", "REDIS_URL_FILE", "ENCRYPTION_KEYS_FILE"}
LEAST_STOP = 30
"""Seconds that a console or a Redis has to end by itself, once it is told."""
LATEST_NOTICE = 10
"""Seconds until a pod that is not ready gets no more requests; `preStop` lasts as long."""
LEAST_READING = 240
"""Seconds that a Redis may read its files before it is taken for dead."""
OF_BODIES = 3
"""How many times its size a body may take while it is worked on."""
AT_REST = 200 << 20
FAILOVER = 15
"""Seconds without a primary that a group may need."""
NGINX = "nginx.ingress.kubernetes.io/"


# --- the services ------------------------------------------------------------------------------


def told_faults(manifests: list[Manifest]) -> list[str]:
    """Services that do not hear of the settings or of a secret."""
    (settings,) = [
        m["metadata"]["name"]
        for m in of_kind(manifests, "ConfigMap")
        if m["metadata"]["name"].startswith("settings")
    ]
    found = []
    for name in ("gateway", "console"):
        container = pod_template(workload(manifests, name))["spec"]["containers"][0]
        if container.get("envFrom") != [{"configMapRef": {"name": settings}}]:
            found.append(f"{name} hears of no setting")
        wanted = TOLD | ({"ADMIN_PASSWORD_FILE"} if name == "console" else set())
        if {each["name"] for each in container["env"]} != wanted:
            found.append(f"{name} is told {[each['name'] for each in container['env']]}")
    return found


def patience_faults(manifests: list[Manifest]) -> list[str]:
    """Pods that are taken out late, or killed early."""
    found = []
    for name in ("gateway", "console"):
        spec = workload(manifests, name)["spec"]
        pod = pod_template(workload(manifests, name))["spec"]
        container = pod["containers"][0]
        ready = container["readinessProbe"]
        if ready["periodSeconds"] * ready["failureThreshold"] > LATEST_NOTICE:
            found.append(f"{name} gets requests that it cannot answer")
        lingers = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        if pod["terminationGracePeriodSeconds"] < lingers + 20:
            found.append(f"{name} is killed")
        if spec.get("progressDeadlineSeconds", 600) < pod["terminationGracePeriodSeconds"]:
            found.append(f"a rollout of {name} is given up while a pod still drains")
    return found


def place_faults(manifests: list[Manifest]) -> list[str]:
    """Pods that may all be on one node, and images that are never fetched."""
    found = []
    for maker in pod_makers(manifests):
        name, pod = maker["metadata"]["name"], pod_template(maker)["spec"]
        for rule in pod.get("topologySpreadConstraints", ()):
            if rule["topologyKey"] not in NODES:
                found.append(f"{name} is spread over {rule['topologyKey']}")
            if not selects(rule["labelSelector"], pod_labels(manifests, name)):
                found.append(f"{name} is spread apart from others")
        if name in ("gateway", "console") and len(pod["topologySpreadConstraints"]) < len(NODES):
            found.append(f"{name} is not spread")
        found += [
            f"{name}: {container['name']} is fetched {container['imagePullPolicy']}"
            for container in pod["containers"]
            if container["imagePullPolicy"] != "IfNotPresent"
        ]
    return found


def scaling_faults(manifests: list[Manifest]) -> list[str]:
    """An autoscaler that takes pods away faster than they drain."""
    found = []
    for scaler in of_kind(manifests, "HorizontalPodAutoscaler"):
        down = scaler["spec"]["behavior"]["scaleDown"]
        if down["stabilizationWindowSeconds"] < 300:
            found.append("a lull of a moment costs pods")
        if [(each["type"], each["value"]) for each in down["policies"]] != [("Pods", 1)]:
            found.append("several pods go at once")
    return found


def memory_faults(manifests: list[Manifest]) -> list[str]:
    """A gateway whose bodies do not fit into its container."""
    pod = pod_template(workload(manifests, "gateway"))["spec"]
    given = pod["containers"][0].get("resources", {}).get("limits", {}).get("memory", "1Gi")
    scale = {"Mi": 1 << 20, "Gi": 1 << 30}[given[-2:]]
    bodies = (GatewaySettings().body_memory_mib << 20) * OF_BODIES
    return (
        [] if int(given[:-2]) * scale >= bodies + AT_REST else [f"{given} for {bodies} of bodies"]
    )


# --- Redis -------------------------------------------------------------------------------------


def redis_faults(manifests: list[Manifest]) -> list[str]:
    """A Redis that is found nowhere, killed while it reads or writes, or watched at another port."""
    redis = workload(manifests, "redis")
    pod = pod_template(redis)["spec"]
    services = {each["metadata"]["name"]: each["spec"] for each in of_kind(manifests, "Service")}
    service = services.get(redis["spec"]["serviceName"], {})
    container, exporter = (
        pod["containers"][0],
        next(each for each in pod["containers"] if each["name"] == "exporter"),
    )
    found = []
    if service.get("clusterIP") != "None":
        found.append("its members have no names")
    if pod["terminationGracePeriodSeconds"] < LEAST_STOP:
        found.append("it is killed while it writes")
    start, alive = container["startupProbe"], container["livenessProbe"]
    if start["periodSeconds"] * start["failureThreshold"] < LEAST_READING:
        found.append("it is killed while it reads its files")
    if "exec" in alive or alive["periodSeconds"] * alive["failureThreshold"] < LEAST_STOP:
        found.append("a command that takes long kills it")
    ready = " ".join(container["readinessProbe"]["exec"]["command"])
    if "redis-cli -e" not in ready and "ready-redis.sh" not in ready:
        found.append("it is ready while it is loading")
    auth = next(each for each in container["env"] if each["name"] == "REDISCLI_AUTH")
    if auth["valueFrom"]["secretKeyRef"]["key"] != "password":
        found.append("its probe has another password")
    (address,) = re.findall(r"-redis\.addr=redis://localhost:(\d+)", str(exporter["args"]))
    if int(address) != container_ports(manifests, "redis")["redis"]:
        found.append(f"the exporter asks {address}")
    return found


# --- what leads in, and who watches ------------------------------------------------------------


def host_faults(manifests: list[Manifest]) -> list[str]:
    """An address that the console does not know as its own, and a certificate of another's."""
    settings = next(
        m for m in of_kind(manifests, "ConfigMap") if m["metadata"]["name"].startswith("settings")
    )["data"]
    hosts = {h for route in of_kind(manifests, "HTTPRoute") for h in route["spec"]["hostnames"]}
    found = []
    for ingress in of_kind(manifests, "Ingress"):
        spec, notes = ingress["spec"], ingress["metadata"]["annotations"]
        hosts |= {rule["host"] for rule in spec["rules"]}
        if {host for each in spec["tls"] for host in each["hosts"]} != hosts:
            found.append("its certificate has another name")
        if [each["secretName"] for each in spec["tls"]] != ["codex-proapi-tls"]:
            found.append("its certificate is in a Secret that nobody makes")
        if notes[NGINX + "proxy-http-version"] != "1.1":
            found.append("streams go over HTTP/1.0")
        if int(notes[NGINX + "proxy-connect-timeout"]) > 5:
            found.append("a client waits for a node that is gone")
    known = {settings["PUBLIC_URL"].partition("//")[2]} if "PUBLIC_URL" in settings else set()
    if hosts != known:
        found.append(f"{sorted(hosts)} lead to {sorted(known)}")
    return found


def watching_faults(manifests: list[Manifest]) -> list[str]:
    """Monitors and rules that a stock Prometheus operator passes over, or refuses."""
    found = []
    for each in of_kind(manifests, "ServiceMonitor", "PrometheusRule"):
        name = each["metadata"]["name"]
        if "release" not in each["metadata"]["labels"]:
            found.append(f"{each['kind']} {name} is selected by nobody")
        for endpoint in each["spec"].get("endpoints", ()):
            interval, timeout = (int(endpoint[k][:-1]) for k in ("interval", "scrapeTimeout"))
            if timeout > interval:
                found.append(f"{name}: {timeout} s in {interval} s")
    return found


def faults(manifests: list[Manifest]) -> list[str]:
    found = [
        *(*told_faults(manifests), *patience_faults(manifests), *place_faults(manifests)),
        *(*scaling_faults(manifests), *memory_faults(manifests), *redis_faults(manifests)),
        *(*host_faults(manifests), *watching_faults(manifests)),
    ]
    namespace = of_kind(manifests, "Namespace")[0]["metadata"]["labels"]
    if {value for key, value in namespace.items() if "pod-security" in key} != {"restricted"}:
        found.append("pods that are not restricted are let in")
    return found


def test_manifests_keep_what_they_promise(manifests: list[Manifest]) -> None:
    assert faults(manifests) == []


def test_a_group_of_redis_is_waited_for_and_scaled_by_streams(ha: list[Manifest]) -> None:
    settings = next(
        m for m in of_kind(ha, "ConfigMap") if m["metadata"]["name"].startswith("settings")
    )["data"]
    scaler = named(ha, "HorizontalPodAutoscaler", "gateway")["spec"]
    rule = yaml.safe_load(
        (DEPLOY / "k8s" / "components" / "streams-hpa" / "adapter-rule.yaml").read_text()
    )

    assert int(settings["REDIS_GRACE_SECONDS"]) >= FAILOVER
    assert {each["type"] for each in scaler["metrics"]} == {"Resource", "Pods"}
    for each in rule:
        assert each["resources"]["overrides"] == {
            "namespace": {"resource": "namespace"},
            "pod": {"resource": "pod"},
        }


POD = ("spec", "template", "spec")
SPREAD = (*POD, "topologySpreadConstraints", 0)
DOWN = ("spec", "behavior", "scaleDown")


@pytest.mark.parametrize(
    ("kind", "name", "path", "value"),
    [
        ("Deployment", "gateway", (*CONTAINER, "envFrom"), []),
        ("Deployment", "console", (*CONTAINER, "env", 4, "name"), "ADMIN_PASSWORD"),
        ("Deployment", "console", (*POD, "terminationGracePeriodSeconds"), 12),
        ("Deployment", "gateway", (*CONTAINER, "readinessProbe", "periodSeconds"), 60),
        ("Deployment", "gateway", ("spec", "progressDeadlineSeconds"), 60),
        ("Deployment", "gateway", (*SPREAD, "topologyKey"), "kubernetes.io/host"),
        ("Deployment", "console", (*SPREAD, "labelSelector", "matchLabels"), {"app": "console"}),
        ("Deployment", "gateway", (*CONTAINER, "imagePullPolicy"), "Never"),
        ("Deployment", "gateway", (*CONTAINER, "resources", "limits", "memory"), "512Mi"),
        ("HorizontalPodAutoscaler", "gateway", (*DOWN, "stabilizationWindowSeconds"), 0),
        ("HorizontalPodAutoscaler", "gateway", (*DOWN, "policies", 0, "type"), "Percent"),
        ("HorizontalPodAutoscaler", "gateway", (*DOWN, "policies", 0, "value"), 5),
        ("Service", "redis", ("spec", "clusterIP"), ""),
        ("StatefulSet", "redis", ("spec", "serviceName"), "rediss"),
        ("StatefulSet", "redis", (*POD, "terminationGracePeriodSeconds"), 1),
        ("StatefulSet", "redis", (*CONTAINER, "startupProbe", "failureThreshold"), 5),
        ("StatefulSet", "redis", (*CONTAINER, "livenessProbe", "failureThreshold"), 1),
        ("StatefulSet", "redis", (*CONTAINER, "livenessProbe"), {"exec": {}}),
        (
            *("StatefulSet", "redis"),
            *((*CONTAINER, "readinessProbe", "exec", "command"), ["redis-cli", "ping"]),
        ),
        (
            *("StatefulSet", "redis"),
            *((*CONTAINER, "env", 0, "valueFrom", "secretKeyRef", "key"), "url"),
        ),
        (
            *("StatefulSet", "redis"),
            *((*POD, "containers", 1, "args", 0), "-redis.addr=redis://localhost:6380"),
        ),
        ("ServiceMonitor", "codex-proapi", ("metadata", "labels"), {}),
        ("PrometheusRule", "codex-proapi", ("metadata", "labels"), {}),
        ("ServiceMonitor", "codex-proapi", ("spec", "endpoints", 0, "scrapeTimeout"), "30s"),
        ("HTTPRoute", "codex-proapi", ("spec", "hostnames", 0), "other.example.com"),
        (
            *("Namespace", "codex-proapi"),
            *(("metadata", "labels", "pod-security.kubernetes.io/enforce"), "baseline"),
        ),
    ],
)
def test_a_promise_that_is_not_kept_is_found(
    example: list[Manifest], kind: str, name: str, path: tuple[Any, ...], value: Any
) -> None:
    assert faults(planted(example, kind, name, *path, value=value))


@pytest.mark.parametrize(
    ("wanted", "value"),
    [
        ("codex-proapi-tls", "codex-tls"),
        ("codex.example.com", "other.example.com"),
        ("1.1", "1.0"),
        ("2", "60"),
    ],
)
def test_an_ingress_that_promises_something_else_is_found(
    all_rendered: dict[str, list[Manifest]], wanted: str, value: str
) -> None:
    manifests = all_rendered["ingress-nginx"]
    ways = list(places(named(manifests, "Ingress", "codex-proapi"), wanted))

    assert ways
    for path in ways:
        broken = planted(manifests, "Ingress", "codex-proapi", *path, value=value)
        assert faults(broken), path
