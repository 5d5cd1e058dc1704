"""Running the tools that check deploy/, and reading what they print."""

import functools
import json
import os
import pathlib
import shutil
import subprocess
import tomllib
from typing import Any

import yaml  # type: ignore[import-untyped]
from support.tree import ROOT

DEPLOY = ROOT / "deploy"
TOOLS = ROOT / ".venv" / "deploy"
OVERLAYS = ("example", "ingress-nginx", "ha", "dev")
ENVIRONMENT = {**os.environ, "PATH": f"{TOOLS / 'bin'}:{os.environ['PATH']}:/usr/sbin"}  # noqa: TID251

Manifest = dict[str, Any]


def version() -> str:
    """The version all members have."""
    project = tomllib.loads((ROOT / "shared" / "pyproject.toml").read_text())
    return str(project["project"]["version"])


def tool(name: str | pathlib.Path) -> str:
    """Where a tool is; its absence is a failure that names its cure."""
    found = shutil.which(str(name), path=ENVIRONMENT["PATH"])
    assert found, f"{name} is missing: run these checks by `make check-deploy`, which installs it"
    return found


def run(
    name: str | pathlib.Path, *arguments: str | pathlib.Path, **more: Any
) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end; the caller looks at its exit code."""
    settings: dict[str, Any] = {"env": ENVIRONMENT, "cwd": ROOT, "timeout": 120} | more
    command = [tool(name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **settings)


def output(name: str | pathlib.Path, *arguments: str | pathlib.Path, **more: Any) -> str:
    """What a tool prints; it must succeed."""
    done = run(name, *arguments, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rendered(folder: str) -> list[Manifest]:
    """The manifests of a folder below deploy/k8s, as kubectl would apply them."""
    return list(yaml.safe_load_all(_kustomized(folder)))


@functools.cache
def _kustomized(folder: str) -> str:
    return output("kubectl", "kustomize", DEPLOY / "k8s" / folder)


def composed(*files: str, **variables: str) -> dict[str, Any]:
    """The compose stack as Compose understands it."""
    environment = {**ENVIRONMENT, **variables}
    provided = [part for file in files for part in ("-f", str(DEPLOY / "compose" / file))]
    text = output("docker-compose", *provided, "config", "--format", "json", env=environment)
    made: dict[str, Any] = json.loads(text)
    return made


def of_kind(manifests: list[Manifest], *kinds: str) -> list[Manifest]:
    """Those of some kinds."""
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def type_faults(folder: pathlib.Path, source: str) -> str:
    """What TypeScript has against a source; empty when nothing. Misspelt fields are faults."""
    options = {
        "strict": True,
        "noEmit": True,
        "skipLibCheck": True,
        "types": [],
        "module": "esnext",
        "target": "es2022",
        "moduleResolution": "bundler",
    }
    folder.joinpath("tsconfig.json").write_text(json.dumps({"compilerOptions": options}))
    folder.joinpath("node_modules").symlink_to(TOOLS / "node" / "node_modules")
    folder.joinpath("source.ts").write_text(source + "\nexport {};\n")
    done = run("node", folder / "node_modules" / ".bin" / "tsc", "-p", folder, cwd=folder)
    return done.stdout + done.stderr


def panels() -> list[tuple[str, str, str]]:
    """Every query of every dashboard: (dashboard, panel, PromQL)."""
    found = []
    for path in sorted((DEPLOY / "grafana" / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            found += [(path.stem, panel["title"], t["expr"]) for t in panel.get("targets", ())]
    return found


def filled_in(expression: str, *, over: str = "1m") -> str:
    """A panel's query as Grafana sends it, where series have no namespace; rates are `over` a time."""
    expression = expression.replace("$namespace", "")
    for name, value in (("$__rate_interval", over), ("$__interval", "15s"), ("$__range", over)):
        expression = expression.replace(name, value)
    return expression.replace("$account", ".*").replace("$key", ".*")
