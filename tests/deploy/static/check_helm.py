"""The Helm chart renders what kustomize renders, and takes what its values offer."""

import copy
import pathlib
import re
import runpy
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from deploy.manifests import named, pod_labels, pod_template, selects, workload
from deploy.static.check_commands import page_faults
from deploy.toolbox import DEPLOY, ENVIRONMENT, Manifest, output, rendered, run

CHART = DEPLOY / "helm" / "codex-proapi"
SCRIPT = runpy.run_path(str(DEPLOY / "helm" / "build.py"))
SITE = {
    "images": {"prefix": "images.example.com/codex-proapi/"},
    "settings": {"PUBLIC_URL": "https://codex.example.com", "TRUSTED_PROXIES": "10.0.0.0/8"},
    "monitoring": {"enabled": True},
}
SAME = {
    "base": {
        "redis": {"enabled": False},
        "reseal": {"enabled": False},
        "networkPolicy": {"redis": [{}]},
    },
    "overlays/example": {**SITE, "gatewayApi": {"enabled": True}},
    "overlays/ingress-nginx": {**SITE, "ingress": {"enabled": True}},
}
"""A folder below deploy/k8s, and the values that give the same."""


def chart(
    folder: pathlib.Path, values: dict[str, Any], *, namespace: str = "codex-proapi"
) -> list[Manifest]:
    """What helm renders."""
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    text = output("helm", "template", "codex-proapi", CHART, "--namespace", namespace, "-f", file)
    return [manifest for manifest in yaml.safe_load_all(text) if manifest]


def comparable(manifests: list[Manifest]) -> dict[tuple[str, str], Manifest]:
    """Manifests by kind and name, without what only one of the two tools writes."""
    made = {}
    for manifest in copy.deepcopy(manifests):
        meta = manifest["metadata"]
        meta.pop("namespace", None)
        meta["name"] = unhashed(meta["name"])
        template = manifest.get("spec", {}).get("template")
        if template:
            annotations = template["metadata"].get("annotations", {})
            annotations.pop("checksum/settings", None)
            if not annotations:
                template["metadata"].pop("annotations", None)
        text = yaml.safe_dump(manifest, sort_keys=True)
        made[manifest["kind"], meta["name"]] = yaml.safe_load(unhashed(text))
    made.pop(("Namespace", "codex-proapi"), None)
    return made


def unhashed(text: str) -> str:
    """Without the hashes kustomize appends to names of ConfigMaps."""
    return re.sub(r"\b(settings|redis-settings)-[a-z0-9]{10}\b", r"\1", text)


def test_the_templates_are_in_step_with_the_manifests() -> None:
    for name, text in SCRIPT["templates"]().items():
        written = (CHART / "templates" / name).read_text()

        assert written == text, f"{name}: run python deploy/helm/build.py"


@pytest.mark.parametrize("folder", SAME)
def test_helm_renders_what_kustomize_renders(folder: str, tmp_path: pathlib.Path) -> None:
    by_helm = comparable(chart(tmp_path, SAME[folder]))
    by_kustomize = comparable(rendered(folder))

    if folder == "base":
        # Without a Redis of ours the chart asks where it is; the base leaves that to an overlay.
        del by_helm["NetworkPolicy", "services-to-redis"]
    assert by_helm.keys() == by_kustomize.keys()
    for key, manifest in by_helm.items():
        assert manifest == by_kustomize[key], key


def test_a_changed_setting_rolls_the_pods(tmp_path: pathlib.Path) -> None:
    def annotations(**settings: str) -> list[Any]:
        manifests = chart(tmp_path, {"settings": settings})
        return [
            workload(manifests, name)["spec"]["template"]["metadata"]["annotations"]
            for name in ("gateway", "console")
        ]

    before, after = annotations(), annotations(ROUTING="spread")

    assert all(one != other for one, other in zip(before, after, strict=True))


def test_the_rules_and_policies_are_of_the_releases_namespace(tmp_path: pathlib.Path) -> None:
    manifests = chart(tmp_path, {"monitoring": {"enabled": True}}, namespace="llm")

    rules = yaml.safe_dump(named(manifests, "PrometheusRule", "codex-proapi"))
    assert 'namespace="llm"' in rules
    assert 'namespace="codex-proapi"' not in rules
    assert "{{ $labels.instance }}" in rules


def test_settings_reach_the_pods_as_they_are_written(tmp_path: pathlib.Path) -> None:
    given = {"MAX_CONCURRENT": 2_000_000, "REDIS_GRACE_SECONDS": 0.5, "ROUTING": 'a <b> & "c"'}
    manifests = chart(tmp_path, {"settings": {**given, "LOG_LEVEL": True}})

    data = named(manifests, "ConfigMap", "settings")["data"]
    assert {name: data[name] for name in given} == {k: str(v) for k, v in given.items()}
    assert data["LOG_LEVEL"] == "true"


def test_a_redis_of_ones_own_is_reached_by_whoever_needs_it(tmp_path: pathlib.Path) -> None:
    theirs = [{"to": [{"ipBlock": {"cidr": "10.1.2.3/32"}}], "ports": [{"port": 6379}]}]
    values = {"redis": {"enabled": False}, "networkPolicy": {"redis": theirs}}
    manifests = chart(tmp_path, values)

    policy = named(manifests, "NetworkPolicy", "services-to-redis")["spec"]
    assert policy["egress"] == theirs
    for name in ("gateway", "console", "reseal"):
        assert selects(policy["podSelector"], pod_labels(manifests, name)), name


def test_what_is_said_at_the_end_can_be_done(tmp_path: pathlib.Path) -> None:
    said = output(
        *("helm", "install", "codex-proapi", CHART, "--dry-run=client"),
        *("--namespace", "codex-proapi"),
        env={**ENVIRONMENT, "HOME": str(tmp_path)},
    )
    commands = re.findall(r"kubectl .+", said.partition("NOTES:")[2])

    assert len(commands) == 2
    assert page_faults("```sh\n" + "\n".join(commands) + "\n```\n") == []
    assert "port-forward service/console 1455:80" in commands[0]


def test_an_image_is_pinned_by_its_digest(tmp_path: pathlib.Path) -> None:
    """The Job of a rotation runs the console's image, so it is pinned with it."""
    digests = {"gateway": "sha256:" + "a" * 64, "console": "sha256:" + "b" * 64}
    manifests = chart(tmp_path, {"images": {"tag": "9.8.7", "digests": digests}})

    named_by = {
        name: pod_template(named(manifests, kind, name))["spec"]["containers"][0]["image"]
        for kind, name in (
            *(("Deployment", "gateway"), ("Deployment", "console")),
            ("CronJob", "reseal"),
        )
    }
    assert named_by == {
        "gateway": f"codex-proapi/gateway:9.8.7@{digests['gateway']}",
        "console": f"codex-proapi/console:9.8.7@{digests['console']}",
        "reseal": f"codex-proapi/console:9.8.7@{digests['console']}",
    }


def test_pods_take_further_fields(tmp_path: pathlib.Path) -> None:
    pod = {"imagePullSecrets": [{"name": "ours"}], "priorityClassName": "high"}
    manifests = chart(tmp_path, {name: {"pod": pod} for name in ("gateway", "console", "redis")})

    made = [workload(manifests, name) for name in ("gateway", "console", "redis")]
    for each in (*made, named(manifests, "CronJob", "reseal")):
        spec = pod_template(each)["spec"]
        assert {key: spec[key] for key in pod} == pod


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"gatway": {}}, "gatway"),
        ({"console": {"replicas": "two"}}, "replicas"),
        ({"settings": {"log_level": "info"}}, "log_level"),
        ({"images": {"digests": {"gateway": "latest"}}}, "digests"),
        ({"settings": {"REDIS_URL": "redis://x"}}, "REDIS_URL"),
        ({"redis": {"enabled": False}}, "networkPolicy.redis"),
    ],
)
def test_values_that_cannot_be_meant_are_refused(
    tmp_path: pathlib.Path, values: dict[str, Any], complaint: str
) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))

    done = run("helm", "template", "codex-proapi", CHART, "-f", file)

    assert done.returncode != 0
    assert complaint in done.stderr


def test_the_chart_is_well_formed_and_packs(tmp_path: pathlib.Path) -> None:
    output("helm", "lint", "--strict", CHART)
    output("helm", "package", CHART, "--destination", tmp_path)

    assert list(tmp_path.glob("codex-proapi-*.tgz"))
