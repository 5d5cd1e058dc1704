"""Disk, port, and servers that answer strangely."""

import asyncio
import http.server
import pathlib
import socket
import threading
import types
from typing import Any

import pytest
from support.certificates import Authority

from codex_proapi.commons.native import NOT_INSTALLED, OTHER_VERSION, NativeCode
from codex_proapi.console.cli.reports.findings import Verdict
from codex_proapi.console.cli.reports.machine_checks import (
    finding_of,
    machine_findings,
    native_finding,
    upstream_findings,
)
from codex_proapi.console.connection.steps import RouteReport, RouteStep


def test_a_port_that_is_taken_and_one_that_is_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        (found,) = machine_findings({"PORT": port}, embedded=False, running=False)
    (none,) = machine_findings({"PORT": "99999"}, embedded=False, running=False)
    (host,) = machine_findings({"HOST": "203.0.113.7", "PORT": "0"}, embedded=False, running=False)

    assert (found.verdict, none.verdict, host.verdict) == (
        Verdict.WARN,
        Verdict.FAIL,
        Verdict.WARN,
    )
    assert all("PORT" in each.cure for each in (found, none, host))
    assert machine_findings({"PORT": port}, embedded=False, running=True) == []


def test_the_disk_is_that_of_the_folder_or_where_it_will_be(tmp_path: pathlib.Path) -> None:
    environ = {"DATA_DIR": str(tmp_path / "not" / "yet"), "PORT": "0"}
    disk, port = machine_findings(environ, embedded=True, running=False)

    assert disk.check == "disk"
    assert str(tmp_path) in disk.found
    assert port.verdict is Verdict.OK


@pytest.mark.parametrize(
    ("environ", "native", "verdict", "words"),
    [
        ({}, NativeCode(types.ModuleType("x")), Verdict.OK, "in use"),
        ({}, NativeCode(None, NOT_INSTALLED), Verdict.OK, "not installed: streams are interpreted"),
        ({}, NativeCode(None, OTHER_VERSION), Verdict.WARN, "of another version"),
        ({"NATIVE_CODE": "off"}, NativeCode(types.ModuleType("x")), Verdict.OK, "switched off"),
    ],
)
def test_whether_compiled_functions_serve_is_told(
    environ: dict[str, str], native: NativeCode, verdict: Verdict, words: str
) -> None:
    found = native_finding(environ, native)

    assert (found.check, found.verdict) == ("native code", verdict)
    assert words in found.found
    assert bool(found.cure) == (verdict is Verdict.WARN)


async def test_a_certificate_of_nobody_is_told(tmp_path: pathlib.Path) -> None:
    context = Authority(tmp_path).server()
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    environ = {
        "CODEX_BASE_URL": f"https://127.0.0.1:{port}/x",
        "CODEX_AUTH_URL": "http://127.0.0.1:1",
    }
    backend, signing_in = [each async for each in upstream_findings(environ)]
    server.close()

    assert "(tls: " in backend.found
    assert "SSL_CERT_FILE" in backend.cure
    assert "(tcp: ConnectionRefusedError; dns " in signing_in.found


class Strange(http.server.BaseHTTPRequestHandler):
    """A server with an unreadable clock and a body that has no end."""

    def do_GET(self) -> None:
        self.send_response_only(200)
        self.send_header("date", "yesterday, or so")
        self.send_header("content-length", str(10**12))
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.mark.parametrize("path", ["", "/a/b"])
async def test_a_server_without_a_clock_still_answers(path: str) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Strange) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}{path}"
        environ = {"CODEX_BASE_URL": url, "CODEX_AUTH_URL": url}
        found = [finding async for finding in upstream_findings(environ)]
        server.shutdown()
        thread.join()

    assert [each.verdict for each in found] == [Verdict.OK, Verdict.OK]


async def test_an_address_that_is_none_is_a_fault_and_no_traceback() -> None:
    found = [each async for each in upstream_findings({"CODEX_BASE_URL": "ftp://x"})]

    assert [each.check for each in found] == ["settings"]


@pytest.mark.parametrize(("seconds", "told"), [(7200, "7200 s ahead of"), (-90, "90 s behind")])
def test_a_clock_that_is_wrong_is_told_with_how_far(seconds: int, told: str) -> None:
    step = RouteStep(name="http", passed=True, milliseconds=1.0, note="401")
    report = RouteReport(
        name="backend", host="h", proxy="", passed=True, clock_seconds=seconds, steps=[step]
    )
    found = finding_of(report)

    assert found.verdict is Verdict.WARN
    assert told in found.found
    assert "NTP" in found.cure
