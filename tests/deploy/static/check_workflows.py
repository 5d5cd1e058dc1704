"""GitHub's files: workflows by actionlint, and everything they name is in the tree."""

import json
import pathlib
import re
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from deploy.toolbox import run
from support.tree import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(
    set((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")) - {GITHUB / "ISSUE_TEMPLATE/config.yml"}
)
WRITES = {
    "images.yml": {"packages", "id-token", "attestations"},
    "release.yml": {"packages", "id-token", "attestations", "contents"},
    "check.yml": set(),
    "live.yml": set(),
}
"""What a workflow may write; pull requests run `check.yml` alone."""


def workflow(path: pathlib.Path) -> dict[str, Any]:
    # YAML 1.1 takes the key `on` for a truth value.
    made: dict[str, Any] = yaml.safe_load(path.read_text().replace("\non:", '\n"on":'))
    return made


def jobs() -> list[tuple[str, str, dict[str, Any]]]:
    return [(p.name, name, job) for p in WORKFLOWS for name, job in workflow(p)["jobs"].items()]


def test_actionlint_has_nothing_to_say() -> None:
    done = run("actionlint", "-no-color", *WORKFLOWS)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("check.yml", "runs-on: ubuntu-24.04", "run-on: ubuntu-24.04"),
        ("release.yml", "needs: [version, check]", "needs: [version, chek]"),
        ("release.yml", "needs.version.outputs.version", "needs.version.outputs.tag"),
        ("images.yml", "${{ inputs.tag }}", "${{ inputs.tags }}"),
    ],
)
def test_actionlint_finds_a_fault(tmp_path: pathlib.Path, name: str, old: str, new: str) -> None:
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    for path in WORKFLOWS:
        text = path.read_text()
        folder.joinpath(path.name).write_text(text.replace(old, new) if path.name == name else text)

    assert run("actionlint", "-no-color", folder / name, cwd=tmp_path).returncode != 0


def test_every_job_ends_and_writes_only_what_it_must() -> None:
    assert {path.name for path in WORKFLOWS} == set(WRITES)
    for path in WORKFLOWS:
        assert workflow(path)["permissions"] == {"contents": "read"}, path.name
    for file, name, job in jobs():
        writes = {what for what, how in job.get("permissions", {}).items() if how == "write"}
        assert writes <= WRITES[file], (file, name)
        assert "uses" in job or job.get("timeout-minutes", 361) <= 90, (file, name)


def test_no_step_takes_what_others_wrote_as_a_command() -> None:
    """An expression inside `run` is pasted into the script, whatever it says."""
    for file, name, job in jobs():
        for step in job.get("steps", ()):
            assert "${{" not in step.get("run", ""), (file, name)


def test_what_workflows_run_is_in_the_tree() -> None:
    text = "\n".join(path.read_text() for path in WORKFLOWS)
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"\bmake ([a-z0-9-]+)", text)) <= targets
    for named in re.findall(r"(?:bash|python3) ([\w./-]+)|file: ([\w./-]+)", text):
        assert (ROOT / (named[0] or named[1])).is_file(), named


def test_each_image_of_the_dockerfile_is_published() -> None:
    runtime = (ROOT / "deploy" / "Dockerfile").read_text()
    targets = re.findall(r"^FROM runtime AS (\w+)", runtime, re.MULTILINE)
    job = workflow(GITHUB / "workflows" / "images.yml")["jobs"]["image"]

    assert job["strategy"]["matrix"]["target"] == targets
    built = next(
        s["with"] for s in job["steps"] if s.get("uses", "").startswith("docker/build-push")
    )
    assert built["sbom"] is True
    assert built["provenance"] == "mode=max"


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_a_form_has_what_github_asks_for(form: pathlib.Path) -> None:
    made = yaml.safe_load(form.read_text())

    assert {"name", "description", "body"} <= made.keys()
    asked = [field for field in made["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in asked}) == len(asked)
    assert all(field["attributes"]["label"] for field in asked)
    assert (
        any(field.get("validations", {}).get("required") for field in asked) or form.stem != "bug"
    )


def test_the_hooks_and_the_container_run_what_is_there() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    makefile = (ROOT / "Makefile").read_text()

    for hook in hooks:
        words = hook["entry"].split()
        assert (ROOT / (words[1] if words[0] == "python3" else words[0])).exists(), hook["id"]
    assert container["image"].endswith(
        ":" + (ROOT / ".python-version").read_text().strip() + "-bookworm"
    )
    assert "make .venv/.dev browser" in container["postCreateCommand"]
    assert "\nbrowser:" in makefile
    assert "\n$(VENV)/.dev:" in makefile


def test_renovate_finds_the_images_it_is_told_of() -> None:
    managers = json.loads((ROOT / "renovate.json").read_text())["customManagers"]

    found = {}
    for manager in managers:
        [pattern] = manager["managerFilePatterns"]
        path = pattern.strip("/^$").replace("\\", "")
        named = manager["matchStrings"][0].replace("(?<", "(?P<")
        for match in re.finditer(named, (ROOT / path).read_text()):
            found[path, match["depName"]] = match["currentValue"]

    assert found["deploy/compose/compose.yaml", "valkey/valkey"]
    assert found["deploy/compose/compose.yaml", "caddy"]
    assert found["deploy/helm/codex-proapi/values.yaml", "valkey/valkey"]
