"""The manifests' meaning, computed from what kustomize renders; each check finds its planted fault."""

from collections.abc import Callable
from typing import Any

import pytest
from deploy.manifests import (
    container_ports,
    named,
    places,
    planted,
    selects,
    service_of,
    workload,
    workloads,
)
from deploy.toolbox import Manifest, of_kind

from codex_proapi.gateway.api.paths import FIGURES, PATHS, PROBE_ROUTES, owns
from codex_proapi.gateway.settings import GatewaySettings

CONTAINER = ("spec", "template", "spec", "containers", 0)

ALIVE, READY = "/health", "/readyz"
"""What a liveness probe asks (the process alone) and what a readiness probe asks (Redis too)."""
LEAST_PATIENCE = 30
"""Seconds before a pod that starts slowly, or is busy, is killed."""
LEAST_LINGER = 5
"""Seconds in which a Service and an ingress forget a pod that is going."""
CONSOLE_PATHS = (
    "/",
    "/accounts",
    "/api/session",
    "/static/app.js",
    "/auth/callback",
    "/v2",
    "/x/v1",
    "/api/codex",
    "/backend-api",
    "/backend-api/other",
)
Fault = tuple[str, Callable[[list[Manifest]], list[Manifest]]]


# --- probes and ports --------------------------------------------------------------------------


def probe_faults(manifests: list[Manifest]) -> list[str]:
    found = []
    for name in ("gateway", "console"):
        container = workload(manifests, name)["spec"]["template"]["spec"]["containers"][0]
        ports = container_ports(manifests, name)
        environment = {each["name"]: each.get("value") for each in container["env"]}
        if [environment["PORT"]] != [str(port) for port in ports.values()]:
            found.append(f"{name} listens on {environment['PORT']}, not on {ports}")
        for probe, path in (
            *(("startupProbe", ALIVE), ("livenessProbe", ALIVE), ("readinessProbe", READY)),
        ):
            asked = container[probe]["httpGet"]
            if asked["path"] != path or path not in PROBE_ROUTES:
                found.append(f"{name}: {probe} asks {asked['path']}")
            if asked["port"] not in ports:
                found.append(f"{name}: {probe} asks the port {asked['port']}")
        for probe in ("startupProbe", "livenessProbe"):
            asked = container[probe]
            given = asked["periodSeconds"] * asked.get("failureThreshold", 3)
            if given < LEAST_PATIENCE:
                found.append(f"{name} is killed after {given} s of its {probe}")
    return found


def test_probes_ask_routes_that_exist_on_the_port_that_is_listened_to(
    manifests: list[Manifest],
) -> None:
    assert probe_faults(manifests) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("ports", 0, "containerPort"), 8081),
        (("readinessProbe", "httpGet", "path"), "/ready"),
        (("livenessProbe", "httpGet", "path"), "/readyz"),
        (("startupProbe", "httpGet", "path"), "/healthz"),
        (("readinessProbe", "httpGet", "port"), "web"),
        (("startupProbe", "failureThreshold"), 2),
        (("livenessProbe", "failureThreshold"), 1),
    ],
)
def test_a_wrong_probe_or_port_is_found(
    example: list[Manifest], path: tuple[Any, ...], value: Any
) -> None:
    broken = planted(example, "Deployment", "gateway", *CONTAINER, *path, value=value)

    assert probe_faults(broken)


# --- rollouts and disruptions ------------------------------------------------------------------


def rollout_faults(manifests: list[Manifest]) -> list[str]:
    found = []
    for deployment in of_kind(manifests, "Deployment"):
        name, spec = deployment["metadata"]["name"], deployment["spec"]
        rolling = spec["strategy"].get("rollingUpdate", {})
        if rolling.get("maxUnavailable") != 0 or rolling.get("maxSurge") in (None, 0, "0%"):
            found.append(f"{name} goes before it comes: {rolling}")
        if spec.get("minReadySeconds", 0) < 1:
            found.append(f"{name} is taken for ready at once")
        if not selects(spec["selector"], spec["template"]["metadata"]["labels"]):
            found.append(f"{name} does not select its own pods")
    for budget in of_kind(manifests, "PodDisruptionBudget"):
        name, spec = budget["metadata"]["name"], budget["spec"]
        chosen = [
            w["metadata"]["name"]
            for w in workloads(manifests)
            if selects(spec["selector"], w["spec"]["template"]["metadata"]["labels"])
        ]
        if chosen != [name]:
            found.append(f"the budget {name} is about {chosen}")
        if spec.get("maxUnavailable") != 1:
            found.append(f"the budget {name} does not let one go at a time")
    for scaler in of_kind(manifests, "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        if not any(
            (w["kind"], w["metadata"]["name"]) == (target["kind"], target["name"])
            for w in workloads(manifests)
        ):
            found.append(f"nothing is called {target['name']} to be scaled")
        if target["name"] != scaler["metadata"]["name"]:
            found.append(f"{scaler['metadata']['name']} scales {target['name']}")
        if scaler["spec"]["minReplicas"] > scaler["spec"]["maxReplicas"]:
            found.append("the autoscaler's least is more than its most")
    return found


def test_rollouts_and_disruptions_leave_enough_running(manifests: list[Manifest]) -> None:
    assert rollout_faults(manifests) == []


LABEL = "app.kubernetes.io/name"


@pytest.mark.parametrize(
    ("kind", "name", "path", "value"),
    [
        ("Deployment", "gateway", ("spec", "strategy", "rollingUpdate", "maxUnavailable"), 1),
        ("Deployment", "console", ("spec", "strategy", "rollingUpdate", "maxSurge"), 0),
        ("Deployment", "gateway", ("spec", "minReadySeconds"), 0),
        ("PodDisruptionBudget", "gateway", ("spec", "selector", "matchLabels", LABEL), "gatway"),
        ("PodDisruptionBudget", "console", ("spec", "maxUnavailable"), 0),
        ("HorizontalPodAutoscaler", "gateway", ("spec", "scaleTargetRef", "name"), "gatway"),
        ("HorizontalPodAutoscaler", "gateway", ("spec", "scaleTargetRef", "name"), "console"),
    ],
)
def test_a_rollout_or_budget_gone_wrong_is_found(
    example: list[Manifest], kind: str, name: str, path: tuple[Any, ...], value: Any
) -> None:
    assert rollout_faults(planted(example, kind, name, *path, value=value))


def patience_faults(manifests: list[Manifest]) -> list[str]:
    """Pods that would be killed before their streams have ended."""
    settings = next(
        m for m in of_kind(manifests, "ConfigMap") if m["metadata"]["name"].startswith("settings")
    )
    given = settings["data"]
    drains = float(given.get("DRAIN_SECONDS", GatewaySettings().drain_seconds))
    settles = float(given.get("DRAIN_SETTLE_SECONDS", GatewaySettings().drain_settle_seconds))
    found = []
    for name in ("gateway", "console"):
        pod = workload(manifests, name)["spec"]["template"]["spec"]
        lingers = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        if lingers < LEAST_LINGER:
            found.append(f"{name} goes before it is forgotten")
        grace = pod["terminationGracePeriodSeconds"]
        if name == "gateway" and grace < lingers + settles + drains + 5:
            found.append(f"{grace} s of grace for {lingers} + {settles} + {drains} s")
    return found


def test_the_grace_period_is_longer_than_everything_in_it(manifests: list[Manifest]) -> None:
    assert patience_faults(manifests) == []


def test_too_short_a_grace_period_is_found(example: list[Manifest]) -> None:
    path = ("spec", "template", "spec", "terminationGracePeriodSeconds")

    assert patience_faults(planted(example, "Deployment", "gateway", *path, value=30))


@pytest.mark.parametrize("name", ["gateway", "console"])
def test_a_pod_that_goes_before_it_is_forgotten_is_found(
    example: list[Manifest], name: str
) -> None:
    path = (*CONTAINER, "lifecycle", "preStop", "sleep", "seconds")

    assert patience_faults(planted(example, "Deployment", name, *path, value=1))


def test_a_pod_whose_resources_are_unknown_is_not_scaled_by_them(
    manifests: list[Manifest],
) -> None:
    for scaler in of_kind(manifests, "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]["name"]
        container = workload(manifests, target)["spec"]["template"]["spec"]["containers"][0]
        for metric in scaler["spec"]["metrics"]:
            if metric["type"] == "Resource":
                assert metric["resource"]["name"] in container["resources"]["requests"]


# --- paths -------------------------------------------------------------------------------------


def path_faults(manifests: list[Manifest]) -> list[str]:
    """Paths that lead elsewhere than to the service that has them."""
    expected = {path: "gateway" for path in PATHS if path != "/" and not path.startswith(FIGURES)}
    # The probes' trailing slash is a courtesy inside the cluster.
    expected = {p: s for p, s in expected.items() if p.strip("/") not in ("health", "readyz")}
    expected |= {"/health": "gateway", "/readyz": "gateway", "/v1": "gateway", "/v1/x": "gateway"}
    expected |= {"/models/a/b": "gateway", "/responses/x": "gateway"}
    expected |= dict.fromkeys(CONSOLE_PATHS, "console")
    found = [
        f"{path} leads to {service_of(manifests, path)}"
        for path, service in expected.items()
        if service_of(manifests, path) != service
    ]
    if service_of(manifests, "/metrics") not in ("", "nobody"):
        found.append("figures are shown to everybody")
    return found


@pytest.mark.parametrize("overlay", ["example", "ingress-nginx", "ha"])
def test_every_path_leads_to_the_service_that_has_it(
    all_rendered: dict[str, list[Manifest]], overlay: str
) -> None:
    assert not any(owns(path) for path in CONSOLE_PATHS)
    assert path_faults(all_rendered[overlay]) == []


@pytest.mark.parametrize(
    ("overlay", "wanted", "value"),
    [
        ("ingress-nginx", "/v1", "/v2"),
        ("ingress-nginx", "/models", "/model"),
        ("example", "/messages", "/message"),
        ("ha", "/responses", "/response"),
        ("ha", "/wham/usage", "/wam/usage"),
    ],
)
def test_a_misspelt_path_is_found(
    all_rendered: dict[str, list[Manifest]], overlay: str, wanted: str, value: str
) -> None:
    kind = "Ingress" if overlay == "ingress-nginx" else "HTTPRoute"
    manifests = all_rendered[overlay]
    path = next(places(named(manifests, kind, "codex-proapi"), wanted))

    assert path_faults(planted(manifests, kind, "codex-proapi", *path, value=value))


NGINX = "nginx.ingress.kubernetes.io/"


def stream_faults(manifests: list[Manifest]) -> list[str]:
    """What of an ingress or route would hold words back or cut streams."""
    found = []
    for ingress in of_kind(manifests, "Ingress"):
        notes = ingress["metadata"]["annotations"]
        for name in ("proxy-buffering", "proxy-request-buffering"):
            if notes.get(NGINX + name) != "off":
                found.append(f"{name} is {notes.get(NGINX + name)}")
        for name in ("proxy-read-timeout", "proxy-send-timeout"):
            if int(notes.get(NGINX + name, 60)) < 3600:
                found.append(f"{name} is {notes.get(NGINX + name)}")
        if notes.get(NGINX + "proxy-next-upstream") != "error timeout":
            found.append("a request that reached a pod is sent to another")
        if notes.get(NGINX + "proxy-body-size") != "64m":
            found.append("bodies of 64 MiB are refused")
    for route in of_kind(manifests, "HTTPRoute"):
        for rule in route["spec"]["rules"]:
            if rule.get("backendRefs") and rule.get("timeouts") != {
                "request": "0s",
                "backendRequest": "0s",
            }:
                found.append(f"streams end after {rule.get('timeouts')}")
    return found


def test_no_ingress_holds_or_cuts_streams(manifests: list[Manifest]) -> None:
    assert stream_faults(manifests) == []


@pytest.mark.parametrize(
    ("overlay", "kind", "path", "value"),
    [
        ("ingress-nginx", "Ingress", ("metadata", "annotations", NGINX + "proxy-buffering"), "on"),
        (
            "ingress-nginx",
            "Ingress",
            ("metadata", "annotations", NGINX + "proxy-read-timeout"),
            "60",
        ),
        (
            "ingress-nginx",
            "Ingress",
            ("metadata", "annotations", NGINX + "proxy-next-upstream"),
            "error timeout http_502 non_idempotent",
        ),
        ("ha", "HTTPRoute", ("spec", "rules", 0, "timeouts", "request"), "30s"),
    ],
)
def test_an_ingress_that_would_hold_or_cut_streams_is_found(
    all_rendered: dict[str, list[Manifest]],
    overlay: str,
    kind: str,
    path: tuple[Any, ...],
    value: str,
) -> None:
    broken = planted(all_rendered[overlay], kind, "codex-proapi", *path, value=value)

    assert stream_faults(broken)
