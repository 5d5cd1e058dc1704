"""Installs clients into build/clients, where the next run finds them."""

import pathlib
import subprocess
import sys

from clients.cases import Case
from support.tree import ROOT

FOLDER = ROOT / "build" / "clients"


def installed(case: Case) -> pathlib.Path:
    """The folder with the programs of a client. Raises CalledProcessError if it is not to be had."""
    kind = "python" if case.python else "node"
    home = FOLDER / kind / "-".join(need.replace("/", "_") for need in case.needs)
    if case.python:
        return _python(home, case)
    programs = home / "node_modules" / ".bin"
    if not (home / "done").exists():
        _say(case, "npm")
        home.mkdir(parents=True, exist_ok=True)
        (home / "package.json").write_text('{"private": true, "type": "module"}')
        subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--silent", *case.needs],
            cwd=home, check=True,
        )  # fmt: skip
        (home / "done").touch()
    return programs


def _python(home: pathlib.Path, case: Case) -> pathlib.Path:
    programs = home / "bin"
    if not (home / "done").exists():
        _say(case, "pip")
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        pip = [str(programs / "python"), "-m", "pip", "install", "--quiet", *case.needs]
        subprocess.run(pip, check=True)
        (home / "done").touch()
    return programs


def _say(case: Case, by: str) -> None:
    print(f"installing {', '.join(case.needs)} by {by} into {FOLDER.relative_to(ROOT)}", flush=True)
