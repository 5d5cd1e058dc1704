"""The scripts that fill an image: each stops the build, or the container, when it should."""

import http.server
import json
import pathlib
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from deploy.toolbox import ENVIRONMENT
from support.tree import ROOT

IMAGE = ROOT / "deploy" / "image"


def run(script: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(IMAGE / script), *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def test_the_bill_of_materials_names_what_can_be_imported(tmp_path: pathlib.Path) -> None:
    target = tmp_path / "sbom.json"

    done = run("write_sbom.py", "codex-proapi-gateway", str(target))

    assert done.returncode == 0, done.stderr
    bill = json.loads(target.read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    found = {component["purl"] for component in bill["components"]}
    assert any(re.fullmatch(r"pkg:pypi/msgspec@[\d.]+", purl) for purl in found)
    assert any(purl.startswith("pkg:generic/python@3.") for purl in found)
    assert len(found) == len(bill["components"])


def test_debian_packages_are_named_if_they_are_installed(tmp_path: pathlib.Path) -> None:
    status = tmp_path / "status"
    status.write_text(
        "Package: tar\nStatus: install ok installed\nVersion: 1.34+dfsg-1\nArchitecture: amd64\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: amd64\n"
    )
    code = (
        f"import pathlib, sys; sys.path.insert(0, {str(IMAGE)!r}); import write_sbom\n"
        f"print([p['purl'] for p in write_sbom.debian_packages(pathlib.Path({str(status)!r}))])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "['pkg:deb/debian/tar@1.34%2Bdfsg-1?arch=amd64']"


def compiled(folder: pathlib.Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """`install.sh native` with its folders below another one, and this environment's Python."""
    text = (IMAGE / "install.sh").read_text().replace("/wheels", f"{folder}/wheels")
    script = folder / "install.sh"
    script.write_text(text.replace("/build/bin/", f"{pathlib.Path(sys.executable).parent}/"))
    command = ["/bin/sh", str(script), "native"]
    return subprocess.run(
        command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False
    )


def without_compiler(folder: pathlib.Path) -> str:
    """A search path on which apt-get reaches nobody, and gcc is not."""
    (folder / "mkdir").symlink_to(str(shutil.which("mkdir")))
    (folder / "python3").symlink_to(pathlib.Path(sys.executable).resolve())
    (folder / "apt-get").write_text("#!/bin/sh\nexit 100\n")
    (folder / "apt-get").chmod(0o755)
    return str(folder)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no compiler here")
def test_the_build_stage_compiles_once_for_every_version(tmp_path: pathlib.Path) -> None:
    done = compiled(tmp_path, NATIVE_CODE="on", PATH=ENVIRONMENT["PATH"])

    assert done.returncode == 0, done.stderr
    [wheel] = (tmp_path / "wheels").iterdir()
    assert "-cp311-abi3-" in wheel.name


def test_a_build_stage_without_a_compiler_says_how_to_do_without(tmp_path: pathlib.Path) -> None:
    path = without_compiler(tmp_path)

    done = compiled(tmp_path, NATIVE_CODE="on", PATH=path)
    assert done.returncode == 1
    assert "no compiler (gcc libc6-dev" in done.stderr
    assert "--build-arg NATIVE_CODE=off" in done.stderr

    off = compiled(tmp_path, NATIVE_CODE="off", PATH=path)
    assert (off.returncode, [*(tmp_path / "wheels").iterdir()]) == (0, [])


def package(folder: pathlib.Path, **modules: str) -> str:
    home = folder / "thing"
    home.mkdir()
    for name, text in {"__init__": "", **modules}.items():
        home.joinpath(f"{name}.py").write_text(text)
    return str(folder)


def test_every_module_is_imported_but_the_one_that_would_start(tmp_path: pathlib.Path) -> None:
    path = package(tmp_path, one="", __main__="raise SystemExit('started')")

    done = run("import_every_module.py", "thing", PYTHONPATH=path)

    assert done.stdout == "imported 2 modules of thing\n", done.stderr


def test_a_missing_dependency_is_found(tmp_path: pathlib.Path) -> None:
    path = package(tmp_path, one="import no_such_distribution")

    done = run("import_every_module.py", "thing", PYTHONPATH=path)

    assert done.returncode == 1
    assert "no_such_distribution" in done.stderr


@pytest.fixture
def service() -> Iterator[dict[str, int]]:
    """Something that answers /readyz with a status that can be changed."""
    told = {"status": 200}

    class Service(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(told["status"] if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Service) as server:
        told["port"] = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield told
        server.shutdown()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_asks_whether_the_service_is_ready(
    service: dict[str, int], status: int, code: int
) -> None:
    service["status"] = status

    assert run("healthcheck.py", PORT=str(service["port"])).returncode == code


def test_the_health_check_fails_where_nobody_listens() -> None:
    done = run("healthcheck.py", PORT="1")

    assert done.returncode == 1
    assert "not reachable" in done.stderr
