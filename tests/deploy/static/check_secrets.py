"""The Secrets that the manual makes are those that the pods read: its own commands, run."""

import json
import pathlib
from typing import Any

import pytest
from deploy.manifests import pod_makers, pod_template
from deploy.static.check_commands import commands_of
from deploy.toolbox import DEPLOY, Manifest, output
from support.tree import ROOT

Keys = set[tuple[str, str]]
"""Names of Secrets, each with a key."""


def made_by(text: str, folder: pathlib.Path) -> Keys:
    """What a page's `kubectl create secret generic` make, run in a folder with secrets of its own."""
    output("bash", DEPLOY / "compose" / "secrets.sh", folder / "secrets")
    found: Keys = set()
    for words in commands_of(text):
        if words[0] == "kubectl" and words[3:6] == ["create", "secret", "generic"]:
            made = output(*words, "--dry-run=client", "--output=json", cwd=folder)
            secret: dict[str, Any] = json.loads(made)
            found |= {(secret["metadata"]["name"], key) for key in secret["data"]}
    return found


def read_by(manifests: list[Manifest]) -> Keys:
    """What pods cannot start without."""
    found: Keys = set()
    for maker in pod_makers(manifests):
        pod = pod_template(maker)["spec"]
        for volume in pod["volumes"]:
            secret = volume.get("secret", {"optional": True})
            if not secret.get("optional"):
                found |= {(secret["secretName"], item["key"]) for item in secret["items"]}
        for container in pod["containers"]:
            for variable in container.get("env", ()):
                asked = variable.get("valueFrom", {}).get("secretKeyRef")
                if asked:
                    found.add((asked["name"], asked["key"]))
    return found


def test_the_commands_of_the_manual_make_what_the_pods_read(
    manifests: list[Manifest], tmp_path: pathlib.Path
) -> None:
    page = (ROOT / "docs" / "running.md").read_text()

    assert made_by(page, tmp_path) == read_by(manifests)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("--from-file=auth.conf=", "--from-file=auth="),
        ("generic codex-proapi-redis", "generic codex-redis"),
        (" --from-file=exporter.json=secrets/redis_exporter", ""),
    ],
)
def test_a_secret_that_lacks_something_is_found(
    example: list[Manifest], tmp_path: pathlib.Path, right: str, wrong: str
) -> None:
    page = (ROOT / "docs" / "running.md").read_text()
    assert right in page

    assert made_by(page.replace(right, wrong), tmp_path) != read_by(example)
