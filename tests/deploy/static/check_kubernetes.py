"""The rendered manifests, as the schemas of Kubernetes and people who run clusters read them."""

import copy
import itertools
import json
import pathlib
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from deploy.manifests import pod_makers, pod_template, workloads
from deploy.toolbox import OVERLAYS, Manifest, of_kind, output, rendered, run, type_faults

from codex_proapi.commons.runtime.settings import from_environ
from codex_proapi.console.settings import ConsoleSettings
from codex_proapi.gateway.settings import GatewaySettings

OLDEST, NEWEST = "1.30", "1.37"
FERNET = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
SECRETS = {
    "codex-proapi-proxy": {"url"},
    "codex-proapi-keys": {"encryption-keys", "admin-password"},
    "codex-proapi-redis": {"url", "password", "auth.conf", "exporter.json"},
}
"""What docs/running.md tells to make, and nothing else may be asked for."""
CUSTOM = {
    "HTTPRoute": "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1",
    "ServiceMonitor": "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
    "PrometheusRule": "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
}
"""Kinds that are no part of Kubernetes, and the package that has their types."""


@pytest.fixture(scope="module", params=OVERLAYS)
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    return rendered(f"overlays/{request.param}")


@pytest.fixture(scope="module")
def example() -> list[Manifest]:
    return rendered("overlays/example")


# --- schemas -----------------------------------------------------------------------------------


def refused_by_schema(manifests: list[Manifest], version: str, folder: pathlib.Path) -> str:
    core = [manifest for manifest in manifests if manifest["kind"] not in CUSTOM]
    path = folder / "rendered.yaml"
    path.write_text(yaml.safe_dump_all(core))
    done = run("kubernetes-validate", "--strict", "--quiet", "-k", version, path)
    return done.stdout + done.stderr


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_manifests_fit_the_schemas(
    manifests: list[Manifest], version: str, tmp_path: pathlib.Path
) -> None:
    assert refused_by_schema(manifests, version, tmp_path) == ""


def misspelt(manifests: list[Manifest], kind: str, *path: Any, name: str) -> list[Manifest]:
    """A copy with one field of the first of a kind renamed."""
    made = copy.deepcopy(manifests)
    place: Any = of_kind(made, kind)[0]
    for step in path[:-1]:
        place = place[step]
    place[name] = place.pop(path[-1])
    return made


CONTAINER = ("spec", "template", "spec", "containers", 0)


@pytest.mark.parametrize(
    ("kind", "path", "name"),
    [
        ("HorizontalPodAutoscaler", ("spec", "maxReplicas"), "maxReplica"),
        ("Deployment", (*CONTAINER, "readinessProbe", "periodSeconds"), "periodSecond"),
        ("NetworkPolicy", ("spec", "policyTypes"), "policyType"),
    ],
)
def test_a_misspelt_field_is_refused(
    example: list[Manifest], tmp_path: pathlib.Path, kind: str, path: tuple[Any, ...], name: str
) -> None:
    assert name in refused_by_schema(misspelt(example, kind, *path, name=name), OLDEST, tmp_path)


def wrongly_typed(manifests: list[Manifest], folder: pathlib.Path) -> str:
    """What TypeScript says of the custom resources, held against their published types."""
    lines = []
    for number, manifest in enumerate(of_kind(manifests, *CUSTOM)):
        kind = manifest["kind"]
        lines.append(f'import type {{ I{kind} as T{number} }} from "{CUSTOM[kind]}";')
        lines.append(f"export const r{number}: T{number} = {json.dumps(manifest)};")
    return type_faults(folder, "\n".join(lines))


def test_custom_resources_have_their_types(
    manifests: list[Manifest], tmp_path: pathlib.Path
) -> None:
    assert wrongly_typed(manifests, tmp_path) == ""


@pytest.mark.parametrize(
    ("overlay", "kind", "path", "name"),
    [
        ("ha", "HTTPRoute", ("spec", "rules", 0, "timeouts", "backendRequest"), "backendTimeout"),
        ("ha", "ServiceMonitor", ("spec", "endpoints", 0, "interval"), "intervall"),
        ("ha", "PrometheusRule", ("spec", "groups", 1, "rules", 0, "annotations"), "annotation"),
    ],
)
def test_a_misspelt_field_of_a_custom_resource_is_refused(
    tmp_path: pathlib.Path, overlay: str, kind: str, path: tuple[Any, ...], name: str
) -> None:
    broken = misspelt(rendered(f"overlays/{overlay}"), kind, *path, name=name)

    assert name in wrongly_typed(broken, tmp_path)


# --- what clusters are asked to guarantee ------------------------------------------------------


def containers(makers: list[Manifest]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{maker['metadata']['name']}/{container['name']}", container)
        for maker in makers
        for container in pod_template(maker)["spec"]["containers"]
    ]


def unrestricted(manifests: list[Manifest]) -> list[str]:
    """Whatever the restricted Pod Security Standard, or we beyond it, would not have."""
    found = []
    for maker in pod_makers(manifests):
        name, pod = maker["metadata"]["name"], pod_template(maker)["spec"]
        safety = pod.get("securityContext", {})
        if safety.get("runAsNonRoot") is not True:
            found.append(f"{name} may run as root")
        if safety.get("seccompProfile") != {"type": "RuntimeDefault"}:
            found.append(f"{name} has no seccomp profile")
        if pod.get("automountServiceAccountToken") is not False:
            found.append(f"{name} gets a service account's token")
        if pod.get("enableServiceLinks") is not False:
            found.append(f"{name} gets service links")
        if any(key in pod for key in ("hostNetwork", "hostPID", "hostIPC")):
            found.append(f"{name} shares a namespace of the host")
        if any("hostPath" in volume for volume in pod["volumes"]):
            found.append(f"{name} mounts a path of the host")
    for name, container in containers(pod_makers(manifests)):
        safety = container.get("securityContext", {})
        if safety.get("allowPrivilegeEscalation") is not False:
            found.append(f"{name} may escalate")
        if safety.get("readOnlyRootFilesystem") is not True:
            found.append(f"{name} may write to its root")
        if safety.get("capabilities") != {"drop": ["ALL"]}:
            found.append(f"{name} has capabilities")
    return found


def test_every_pod_is_restricted(manifests: list[Manifest]) -> None:
    namespace = of_kind(manifests, "Namespace")[0]["metadata"]["labels"]

    assert namespace["pod-security.kubernetes.io/enforce"] == "restricted"
    assert unrestricted(manifests) == []


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"securityContext": {"runAsNonRoot": False}}, "gateway may run as root"),
        ({"enableServiceLinks": True}, "gateway gets service links"),
        ({"automountServiceAccountToken": True}, "gateway gets a service account's token"),
    ],
)
def test_an_unrestricted_pod_is_found(
    example: list[Manifest], fault: dict[str, Any], expected: str
) -> None:
    broken = copy.deepcopy(example)
    gateway = next(w for w in workloads(broken) if w["metadata"]["name"] == "gateway")
    gateway["spec"]["template"]["spec"].update(fault)

    assert expected in unrestricted(broken)


def test_every_container_that_goes_on_running_says_whether_it_is_ready(
    example: list[Manifest],
) -> None:
    for name, container in containers(workloads(example)):
        assert "readinessProbe" in container, name


def test_every_container_has_a_memory_limit(example: list[Manifest]) -> None:
    for name, container in containers(pod_makers(example)):
        assert container["resources"]["limits"]["memory"], name
        assert container["resources"]["requests"]["cpu"], name
        # A limit on CPU would stretch the gaps between the words of every stream.
        assert "cpu" not in container["resources"]["limits"], name


def test_images_are_pinned(manifests: list[Manifest]) -> None:
    for name, container in containers(pod_makers(manifests)):
        assert not container["image"].endswith(":latest"), name
        assert ":" in container["image"], name


def test_the_grace_period_outlasts_the_drain() -> None:
    base = rendered("base")
    pod = next(w for w in workloads(base) if w["metadata"]["name"] == "gateway")
    pod = pod["spec"]["template"]["spec"]
    lingers = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    drains = GatewaySettings().drain_seconds + GatewaySettings().drain_settle_seconds

    assert pod["terminationGracePeriodSeconds"] >= lingers + drains + 30


def test_every_workload_with_replicas_has_a_disruption_budget() -> None:
    for overlay, names in (
        ("example", {"gateway", "console"}),
        ("ingress-nginx", {"gateway", "console"}),
        ("ha", {"gateway", "console", "redis"}),
    ):
        budgets = of_kind(rendered(f"overlays/{overlay}"), "PodDisruptionBudget")

        assert {budget["metadata"]["name"] for budget in budgets} == names


def test_replicas_are_left_to_the_autoscaler(manifests: list[Manifest]) -> None:
    scaled = [
        h["spec"]["scaleTargetRef"]["name"] for h in of_kind(manifests, "HorizontalPodAutoscaler")
    ]
    gateway = next(w for w in workloads(manifests) if w["metadata"]["name"] == "gateway")

    # A laptop's cluster, known by the host it has none of, measures no pods.
    on_a_laptop = not of_kind(manifests, "Ingress", "HTTPRoute")
    assert scaled == ([] if on_a_laptop else ["gateway"])
    assert gateway["spec"].get("replicas") == (1 if on_a_laptop else None)


def test_the_ha_overlay_scales_on_streams_in_flight() -> None:
    scaler = of_kind(rendered("overlays/ha"), "HorizontalPodAutoscaler")[0]

    metrics = {m["type"]: m for m in scaler["spec"]["metrics"]}

    assert metrics["Pods"]["pods"]["metric"]["name"] == "gateway_exchanges_in_flight"
    assert metrics["Resource"]["resource"]["name"] == "cpu"


# --- references --------------------------------------------------------------------------------


def dangling(manifests: list[Manifest]) -> set[str]:
    """ConfigMaps, Secrets and Services that are named and not there (Secrets: not documented)."""
    maps = {m["metadata"]["name"] for m in of_kind(manifests, "ConfigMap")}
    services = {m["metadata"]["name"] for m in of_kind(manifests, "Service")}
    found = set()
    for kind, value in walk(manifests):
        match kind:
            case "configMap" | "configMapRef" if value["name"] not in maps:
                found.add(f"ConfigMap {value['name']}")
            case "secret":
                keys = {item["key"] for item in value["items"]}
                if not keys <= SECRETS.get(value["secretName"], set()):
                    found.add(f"Secret {value['secretName']}: {sorted(keys)}")
            case "secretKeyRef" if value["key"] not in SECRETS.get(value["name"], set()):
                found.add(f"Secret {value['name']}: {value['key']}")
            case "service" if value["name"] not in services:
                found.add(f"Service {value['name']}")
            case "backendRefs":
                found |= {f"Service {r['name']}" for r in value if r["name"] not in services}
            case _:
                pass
    return found


def walk(value: Any) -> Any:
    """Every (key, value) of nested objects."""
    if isinstance(value, dict):
        yield from value.items()
        value = list(value.values())
    if isinstance(value, list):
        yield from itertools.chain.from_iterable(map(walk, value))


def test_what_is_named_is_there(manifests: list[Manifest]) -> None:
    assert dangling(manifests) == set()


def test_a_dangling_name_is_found() -> None:
    broken = [m for m in rendered("overlays/ingress-nginx") if m["metadata"]["name"] != "nobody"]

    assert dangling(broken) == {"Service nobody"}


def test_services_select_pods_by_a_port_they_have(manifests: list[Manifest]) -> None:
    for service in of_kind(manifests, "Service"):
        selector = service["spec"].get("selector")
        if selector is None:
            assert service["metadata"]["name"] == "nobody"
            continue
        pods = [
            w["spec"]["template"]
            for w in workloads(manifests)
            if selector.items() <= w["spec"]["template"]["metadata"]["labels"].items()
        ]
        ports = {
            port["name"]
            for pod in pods
            for container in pod["spec"]["containers"]
            for port in container.get("ports", ())
        }
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_figures_do_not_pass_the_ingress() -> None:
    ingress = of_kind(rendered("overlays/ingress-nginx"), "Ingress")[0]
    paths = ingress["spec"]["rules"][0]["http"]["paths"]

    assert {p["path"]: p["backend"]["service"]["name"] for p in paths}["/metrics"] == "nobody"


# --- settings ----------------------------------------------------------------------------------


def environment_of(manifests: list[Manifest], name: str, secrets: pathlib.Path) -> dict[str, str]:
    """The environment a pod would have, its secrets in files of this folder."""
    pod = next(w for w in workloads(manifests) if w["metadata"]["name"] == name)
    container = pod["spec"]["template"]["spec"]["containers"][0]
    shared = next(
        m for m in of_kind(manifests, "ConfigMap") if m["metadata"]["name"].startswith("settings")
    )
    environment: dict[str, str] = dict(shared["data"])
    for variable in container["env"]:
        environment[variable["name"]] = variable["value"].replace("/run/secrets", str(secrets))
    return environment


@pytest.mark.parametrize(
    ("name", "settings"), [("gateway", GatewaySettings), ("console", ConsoleSettings)]
)
def test_the_services_accept_their_environment(
    manifests: list[Manifest], tmp_path: pathlib.Path, name: str, settings: type[Any]
) -> None:
    for file, content in (
        ("redis/url", "redis://:invented@redis:6379/0"),
        ("keys/encryption-keys", FERNET),
        ("keys/admin-password", "invented-password"),
    ):
        tmp_path.joinpath(file).parent.mkdir(exist_ok=True)
        tmp_path.joinpath(file).write_text(content)

    read = from_environ(settings, environment_of(manifests, name, tmp_path))

    assert read.host == "0.0.0.0"
    assert read.redis_url == "redis://:invented@redis:6379/0"


def test_no_secret_is_rendered(manifests: list[Manifest]) -> None:
    assert of_kind(manifests, "Secret") == []


def test_the_base_renders_without_any_component() -> None:
    assert output("kubectl", "kustomize", "deploy/k8s/base")
