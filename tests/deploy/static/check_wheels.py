"""The built wheels, installed as a newcomer would from an index of them, serve."""

import contextlib
import http.client
import json
import pathlib
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from typing import Any

from deploy.toolbox import DEPLOY, ENVIRONMENT, output, run, version
from support.free_ports import free_port
from support.tree import ROOT

UV = ROOT / ".venv" / "bin" / "uv"
PATIENCE = 120


def installed(wheels: pathlib.Path, home: pathlib.Path, extra: str = "") -> pathlib.Path:
    """`codex-proapi`, as `uv tool install` (and so uvx, as pipx) puts it on the path."""
    places = {"UV_TOOL_DIR": str(home / "tools"), "UV_TOOL_BIN_DIR": str(home / "bin")}
    output(
        *(UV, "tool", "install", "--quiet", "--python", sys.executable),
        *("--find-links", wheels, "--constraints", ROOT / "locks" / "standalone.txt"),
        f"codex-proapi{extra}=={version()}",
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


def serves_compiled(command: pathlib.Path, folder: pathlib.Path) -> bool:
    """Whether an installation says of itself that compiled functions serve."""
    told = run(command, "doctor", "--json", cwd=folder, env={**ENVIRONMENT, "HOME": str(folder)})
    [finding] = [each for each in json.loads(told.stdout) if each["check"] == "native code"]
    return bool(finding["found"] == "in use")


def test_wheels_of_a_release_install_and_serve(tmp_path: pathlib.Path) -> None:
    wheels, port = tmp_path / "wheels", free_port()
    output("bash", DEPLOY / "release" / "build_wheels.sh", UV, wheels, timeout=600)
    members = ("", "_commons", "_console", "_gateway", "_simulator")
    names = {f"codex_proapi{member}-{version()}-py3-none-any.whl" for member in members}
    system = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    compiled = f"codex_proapi_native-{version()}-cp311-abi3-{system}.whl"
    assert {path.name for path in wheels.glob("*.whl")} == names | {compiled}

    command = installed(wheels, tmp_path / "home", "[native]")
    assert serves_compiled(command, tmp_path / "home")
    assert version() in output(command, "--version", cwd=tmp_path)

    with demo(command, tmp_path, port) as process:
        deadline = time.monotonic() + PATIENCE
        while not (answer := chat(port)):
            told = (tmp_path / "demo.log").read_text()
            assert process.poll() is None, told
            assert time.monotonic() < deadline, told
            time.sleep(0.2)
    assert answer["choices"][0]["message"]["content"]


def test_where_nothing_compiles_the_other_wheels_are_built_and_install(
    tmp_path: pathlib.Path,
) -> None:
    wheels = tmp_path / "wheels"
    lacking = {**ENVIRONMENT, "CC": "no-such-compiler", "CXX": "no-such-compiler"}
    told = output(
        "bash", DEPLOY / "release" / "build_wheels.sh", UV, wheels, env=lacking, timeout=600
    )

    assert "no wheel of codex-proapi-native" in told
    assert len([*wheels.glob("*.whl")]) == 5
    command = installed(wheels, tmp_path / "home")
    assert version() in output(command, "--version", cwd=tmp_path)
    assert not serves_compiled(command, tmp_path)
