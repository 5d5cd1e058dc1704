"""What manifests say of files, volumes, ports and members fits together; planted faults are found."""

import posixpath
import re
from typing import Any

import pytest
from deploy.manifests import (
    files_of,
    named,
    planted,
    pod_labels,
    pod_makers,
    pod_template,
    selects,
    workload,
)
from deploy.toolbox import DEPLOY, Manifest, of_kind

HOME = "/tmp"  # noqa: S108 - of the images
POD = ("spec", "template", "spec")


def pods(manifests: list[Manifest]) -> list[tuple[str, dict[str, Any]]]:
    return [(w["metadata"]["name"], pod_template(w)["spec"]) for w in pod_makers(manifests)]


# --- files -------------------------------------------------------------------------------------


def file_faults(manifests: list[Manifest]) -> list[str]:
    """Files below /run/secrets that a container is told of and does not have, and a root without /tmp."""
    found = []
    config = (DEPLOY / "redis" / "redis.conf").read_text()
    for name, pod in pods(manifests):
        for container in pod["containers"]:
            told = f"{container.get('env')} {container.get('args')} {container.get('command')}"
            if container["name"] == "redis":
                told += config
            missing = set(re.findall(r"/run/secrets/[\w./-]+", told)) - files_of(pod, container)
            found += [f"{name}: {container['name']} has no {path}" for path in sorted(missing)]
            places = {mount["mountPath"] for mount in container.get("volumeMounts", ())}
            if container["name"] in ("gateway", "console", "reseal") and HOME not in places:
                found.append(f"{name} cannot write to /tmp, its home")
    return found


def test_files_that_are_named_are_there(manifests: list[Manifest]) -> None:
    assert file_faults(manifests) == []


@pytest.mark.parametrize(
    ("kind", "name", "path", "value"),
    [
        (
            *("Deployment", "gateway"),
            *(("containers", 0, "volumeMounts", 1, "mountPath"), "/run/secret/keys"),
        ),
        ("Deployment", "gateway", ("containers", 0, "volumeMounts", 3, "mountPath"), "/temp"),
        (
            *("StatefulSet", "redis"),
            *(("volumes", 1, "secret", "items", 0, "path"), "auth"),
        ),
        (
            *("StatefulSet", "redis"),
            *(
                ("containers", 1, "args", 1),
                "-redis.password-file=/run/secrets/redis/exporter.json",
            ),
        ),
    ],
)
def test_a_file_that_is_not_there_is_found(
    example: list[Manifest], kind: str, name: str, path: tuple[Any, ...], value: Any
) -> None:
    broken = planted(example, kind, name, *POD, *path, value=value)

    assert file_faults(broken)


# --- services ----------------------------------------------------------------------------------


def backend_faults(manifests: list[Manifest]) -> list[str]:
    """Services that lead to other pods than their name says, and backends by a port they have not."""
    services = {s["metadata"]["name"]: s["spec"] for s in of_kind(manifests, "Service")}
    found = []
    for name, spec in services.items():
        if not spec.get("selector"):
            continue
        chosen = [
            w["metadata"]["name"]
            for w in pod_makers(manifests)
            if selects(
                {"matchLabels": spec["selector"]}, pod_labels(manifests, w["metadata"]["name"])
            )
        ]
        if chosen != [name]:
            found.append(f"the Service {name} leads to {chosen}")
    asked = [
        (ref["name"], ref["port"])
        for route in of_kind(manifests, "HTTPRoute")
        for rule in route["spec"]["rules"]
        for ref in rule.get("backendRefs", ())
    ]
    for ingress in of_kind(manifests, "Ingress"):
        for path in ingress["spec"]["rules"][0]["http"]["paths"]:
            backend = path["backend"]["service"]
            asked.append((backend["name"], next(iter(backend["port"].values()))))
    for name, port in asked:
        ports = [(each["name"], each["port"]) for each in services[name]["ports"]]
        if not any(port in pair for pair in ports):
            found.append(f"{name} has no port {port}")
    return found


def test_services_and_backends_lead_where_they_say(manifests: list[Manifest]) -> None:
    assert backend_faults(manifests) == []


GATEWAY_PORT = ("spec", "rules", 0, "backendRefs", 0, "port")


@pytest.mark.parametrize(
    ("kind", "name", "path", "value"),
    [
        ("HTTPRoute", "codex-proapi", GATEWAY_PORT, 8080),
        ("Service", "gateway", ("spec", "ports", 0, "port"), 8080),
        ("Service", "gateway", ("spec", "selector", "app.kubernetes.io/name"), "console"),
    ],
)
def test_a_service_or_backend_that_leads_elsewhere_is_found(
    example: list[Manifest], kind: str, name: str, path: tuple[Any, ...], value: Any
) -> None:
    assert backend_faults(planted(example, kind, name, *path, value=value))


# --- Redis -------------------------------------------------------------------------------------


def lasting_faults(manifests: list[Manifest], config: str) -> list[str]:
    """Why what Redis is told would not outlast its pod."""
    settings = dict(re.findall(r"^([\w-]+) (.+)$", config, re.MULTILINE))
    found = []
    wanted = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}
    for name, value in wanted.items():
        if settings.get(name) != value:
            found.append(f"{name} is {settings.get(name)}")
    redis = workload(manifests, "redis")
    claims = {claim["metadata"]["name"] for claim in redis["spec"]["volumeClaimTemplates"]}
    for container in redis["spec"]["template"]["spec"]["containers"]:
        mounts = {m["mountPath"]: m["name"] for m in container.get("volumeMounts", ())}
        keeps = container["name"] in ("redis", "sentinel")
        if keeps and mounts.get(settings["dir"]) not in claims:
            found.append(f"{container['name']} keeps nothing: {settings['dir']} is no claim")
        for word in container.get("command", ()):
            folder = posixpath.dirname(word)
            if word.endswith((".conf", "redis.sh", "sentinel.sh")) and folder not in mounts:
                found.append(f"{container['name']} has no {word}")
    return found


def test_what_redis_is_told_outlasts_its_pod(manifests: list[Manifest]) -> None:
    assert lasting_faults(manifests, (DEPLOY / "redis" / "redis.conf").read_text()) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("appendonly yes", "appendonly no"),
        ("maxmemory-policy noeviction", "maxmemory-policy allkeys-lru"),
        ("appendfsync everysec", "appendfsync no"),
        ("dir /data", "dir /tmp"),
    ],
)
def test_a_redis_that_forgets_is_found(example: list[Manifest], right: str, wrong: str) -> None:
    config = (DEPLOY / "redis" / "redis.conf").read_text()

    assert lasting_faults(example, config.replace(right, wrong))


@pytest.mark.parametrize(("mount", "value"), [(0, "/redis"), (1, "/etc/redis")])
def test_a_redis_without_its_volume_or_settings_is_found(
    example: list[Manifest], mount: int, value: str
) -> None:
    path = (*POD, "containers", 0, "volumeMounts", mount, "mountPath")
    config = (DEPLOY / "redis" / "redis.conf").read_text()

    assert lasting_faults(planted(example, "StatefulSet", "redis", *path, value=value), config)


APART = "requiredDuringSchedulingIgnoredDuringExecution"


def group_faults(manifests: list[Manifest], script: str) -> list[str]:
    """Why the Sentinels would not agree, or not on one of theirs."""
    redis = named(manifests, "StatefulSet", "redis")
    replicas = redis["spec"]["replicas"]
    found = []
    for container in redis["spec"]["template"]["spec"]["containers"]:
        values = {each["name"]: each.get("value", "") for each in container.get("env", ())}
        members = re.findall(r"(redis-\d+)\.redis\.", values.get("SENTINELS", ""))
        if container["name"] in ("redis", "sentinel"):
            if members != [f"redis-{number}" for number in range(replicas)]:
                found.append(f"{replicas} members are called {members}")
            if not values.get("FIRST", "").startswith("redis-0.redis."):
                found.append(f"the first is {values.get('FIRST')}")
    quorum = int(re.findall(r"QUORUM:=(\d+)", script)[0])
    if quorum != replicas // 2 + 1:
        found.append(f"{quorum} of {replicas} decide")
    apart = redis["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]
    (required,) = apart[APART]
    if required["topologyKey"] != "kubernetes.io/hostname" or not selects(
        required["labelSelector"], pod_labels(manifests, "redis")
    ):
        found.append("two members may be on one node")
    budget = named(manifests, "PodDisruptionBudget", "redis")["spec"]["maxUnavailable"]
    if replicas - budget < quorum:
        found.append(f"{budget} may go at a time, and {quorum} must stay")
    return found


def test_the_members_of_the_group_can_agree(ha: list[Manifest]) -> None:
    script = (DEPLOY / "k8s" / "components" / "sentinel" / "start-sentinel.sh").read_text()

    assert group_faults(ha, script) == []
    for wrong in ("QUORUM:=1", "QUORUM:=4"):
        assert group_faults(ha, script.replace("QUORUM:=2", wrong))
    for kind, path, value in (
        ("StatefulSet", ("spec", "replicas"), 2),
        ("PodDisruptionBudget", ("spec", "maxUnavailable"), 2),
        ("StatefulSet", (*POD, "containers", 0, "env", 3, "value"), "redis-1.redis.x.svc:6379"),
        ("StatefulSet", (*POD, "affinity", "podAntiAffinity", APART, 0, "topologyKey"), "zone"),
        ("StatefulSet", (*POD, "containers", 0, "env", 4, "value"), "redis-0.redis.x.svc:26379"),
    ):
        assert group_faults(planted(ha, kind, "redis", *path, value=value), script), path


def test_more_than_one_of_each_service_runs(all_rendered: dict[str, list[Manifest]]) -> None:
    for overlay in ("example", "ingress-nginx", "ha"):
        manifests = all_rendered[overlay]
        scaler = named(manifests, "HorizontalPodAutoscaler", "gateway")["spec"]
        assert scaler["minReplicas"] >= 2, overlay
        assert workload(manifests, "console")["spec"]["replicas"] >= 2, overlay
