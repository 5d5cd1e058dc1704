"""The built wheels, installed as a newcomer would from an index of them, serve."""

import contextlib
import http.client
import json
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from deploy.live.stage import free_port
from deploy.toolbox import DEPLOY, ENVIRONMENT, output, version
from support.tree import ROOT

UV = ROOT / ".venv" / "bin" / "uv"
PATIENCE = 120


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The wheels of all members, built by the script that a release uses."""
    folder = tmp_path_factory.mktemp("wheels")
    output("bash", DEPLOY / "release" / "build_wheels.sh", UV, folder, timeout=300)
    return folder


@pytest.fixture(scope="module")
def command(wheels: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """`codex-proapi`, as `uv tool install` (and so uvx, as pipx) puts it on the path."""
    home = tmp_path_factory.mktemp("tools")
    places = {"UV_TOOL_DIR": str(home / "tools"), "UV_TOOL_BIN_DIR": str(home / "bin")}
    output(
        *(UV, "tool", "install", "--quiet", "--python", sys.executable),
        *("--find-links", wheels, "--constraints", ROOT / "locks" / "standalone.txt"),
        f"codex-proapi=={version()}",
        env={**ENVIRONMENT, **places},
        timeout=600,
    )
    return home / "bin" / "codex-proapi"


@contextlib.contextmanager
def demo(command: pathlib.Path, folder: pathlib.Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """The demo on a port, with its data in a folder; ended by the signal of Ctrl-C."""
    settings = {"PORT": str(port), "DATA_DIR": str(folder / "data"), "HOME": str(folder)}
    log = folder / "demo.log"
    with log.open("w") as written:
        process = subprocess.Popen(
            [command, "demo"],
            env={**ENVIRONMENT, **settings},
            cwd=folder,
            stdout=written,
            stderr=written,
            text=True,
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise


def chat(port: int) -> dict[str, Any]:
    """The answer to one chat request; empty while nobody answers it with 200."""
    asked = {"model": "gpt-5", "messages": [{"role": "user", "content": "Say hello"}]}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(
            *("POST", "/v1/chat/completions", json.dumps(asked)),
            {"content-type": "application/json"},
        )
        answer = connection.getresponse()
        made: dict[str, Any] = json.loads(answer.read()) if answer.status == 200 else {}
    except (OSError, http.client.HTTPException):
        return {}
    else:
        return made
    finally:
        connection.close()


def test_the_command_tells_its_version(command: pathlib.Path) -> None:
    assert version() in output(command, "--version", cwd=command.parent)


def test_the_demo_answers_a_chat(command: pathlib.Path, tmp_path: pathlib.Path) -> None:
    port = free_port()

    with demo(command, tmp_path, port) as process:
        deadline = time.monotonic() + PATIENCE
        while not (answer := chat(port)):
            told = (tmp_path / "demo.log").read_text()
            assert process.poll() is None, told
            assert time.monotonic() < deadline, told
            time.sleep(0.2)

    assert answer["choices"][0]["message"]["content"]


def test_members_are_of_one_version(wheels: pathlib.Path) -> None:
    names = {path.name.split("-")[0] for path in wheels.glob(f"*-{version()}-py3-none-any.whl")}

    assert names == {
        "codex_proapi",
        *(f"codex_proapi_{name}" for name in ("commons", "console", "gateway", "simulator")),
    }
    assert len(list(wheels.glob("*.whl"))) == len(names)
