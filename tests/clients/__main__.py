"""Runs real clients, headless, against a gateway and the simulated backend; says which succeeded.

`make check-clients`, or `CLIENTS=claude,codex make check-clients`; `CLIENTS=all` runs the large ones too.
It installs what it needs, so it wants the registries of npm and PyPI.
"""

import asyncio
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Mapping

from clients.cases import CASES, FILE, Case
from clients.installing import installed
from support.gateways import stage
from support.redis_server import RedisServer

SECONDS = 180
"""How long one client may take."""
SHOWN = 600
"""Characters of the output of a client that failed."""


def chosen(names: str) -> list[Case]:
    """The cases of a list of names; all but the large ones for none."""
    wanted = {name for name in names.split(",") if name}
    if "all" in wanted:
        return list(CASES)
    return [case for case in CASES if (case.name in wanted if wanted else not case.optional)]


def filled(text: str, slots: Mapping[str, str]) -> str:
    """A text with its slots filled in."""
    for name, value in slots.items():
        text = text.replace(f"{{{name}}}", value)
    return text.replace("URL_", slots["url"])


def run(case: Case, url: str) -> str:
    """Run one client; gives what was wrong, empty if nothing was."""
    try:
        programs = installed(case)
    except (subprocess.CalledProcessError, OSError) as error:
        return f"not installed: {error}"
    with tempfile.TemporaryDirectory(prefix="client-") as home:
        if not case.python:
            (pathlib.Path(home) / "node_modules").symlink_to(programs.parent)
        slots = {"url": url, "bin": str(programs), "home": home}
        for name, text in {**FILE, **case.files}.items():
            (pathlib.Path(home) / name).write_text(filled(text, slots))
        environment = {name: filled(value, slots) for name, value in case.environment.items()}
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        try:
            done = subprocess.run(
                [filled(word, slots) for word in case.command],
                env={**kept, "HOME": home, "URL": url, **environment},
                cwd=home,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        except (subprocess.TimeoutExpired, OSError) as error:
            return str(error)[:SHOWN]
    if done.returncode == 0 and case.expects in done.stdout:
        return ""
    return f"exit {done.returncode}: {(done.stdout + done.stderr)[-SHOWN:]}"


async def check(cases: list[Case]) -> int:
    """Run the cases one after the other; gives the exit code."""
    failed = 0
    with RedisServer() as redis:
        async with stage(redis.url, "ada") as play:
            for case in cases:
                wrong = await asyncio.to_thread(run, case, play.replicas[0].url)
                failed += bool(wrong)
                print(f"{case.name:20} {wrong or 'ok'}", flush=True)
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(check(chosen(os.environ.get("CLIENTS", "")))))
