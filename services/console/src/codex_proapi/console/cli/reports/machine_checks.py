"""Checks of `doctor` on the machine it runs on, and on the way from there to OpenAI."""

import contextlib
import os
import pathlib
import shutil
import socket
from collections.abc import AsyncIterator, Mapping

from codex_proapi.commons.native import NOT_INSTALLED, NativeCode
from codex_proapi.commons.runtime.errors import SettingsError
from codex_proapi.commons.runtime.settings import from_environ
from codex_proapi.console.cli.reports.findings import CORRECT, Finding, failure, fine, warning
from codex_proapi.console.connection.route_test import RouteTest
from codex_proapi.console.connection.steps import RouteReport
from codex_proapi.console.settings import ConsoleSettings
from codex_proapi.console.texts.phrases import CURES

UPSTREAM = (
    *("CODEX_BASE_URL", "CODEX_AUTH_URL", "UPSTREAM_PROXY", "UPSTREAM_PROXY_FILE"),
    *("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"),
)
"""The settings of the way there."""
SECONDS_APART = 60.0
"""A Date header has whole seconds, and is old where a cache kept it."""
LEAST_DISK = 512 << 20
"""Free bytes below which an append-only file may soon find no room to be rewritten."""
SERVE_PORT = "1455"
"""Where `serve` listens unless PORT says otherwise."""


def machine_findings(environ: Mapping[str, str], *, embedded: bool, running: bool) -> list[Finding]:
    """Disk and port of a one-machine installation.

    Args:
        environ: The settings.
        embedded: Whether the store is the embedded one, whose folder has to have room.
        running: Whether a process of ours is known to serve: then the port is taken by it.
    """
    found = [_disk(environ)] if embedded else []
    return found if running else [*found, _port(environ)]


def native_finding(environ: Mapping[str, str], native: NativeCode) -> Finding:
    """Whether compiled functions serve here."""
    if environ.get("NATIVE_CODE") == "off":
        return fine("native code", "switched off by NATIVE_CODE: streams are interpreted")
    if native.code is not None:
        return fine("native code", "in use")
    found = f"{native.why_not}: streams are interpreted, which costs more CPU"
    if native.why_not == NOT_INSTALLED:
        return fine("native code", found)
    return warning("native code", found, "install codex-proapi-native of this version, or none")


def _disk(environ: Mapping[str, str]) -> Finding:
    folder = pathlib.Path(environ.get("DATA_DIR") or ConsoleSettings().data_dir)
    try:
        folder = folder.expanduser()
    except RuntimeError:
        return failure("disk", f"there is no home folder for {folder}", "name DATA_DIR in full")
    there = next((each for each in (folder, *folder.parents) if each.is_dir()), pathlib.Path("/"))
    if not os.access(there, os.W_OK):
        return failure("disk", f"{there} cannot be written to", "set DATA_DIR to a folder of yours")
    free = shutil.disk_usage(there).free
    if free < LEAST_DISK:
        cure = "make room, or set DATA_DIR to a larger disk: a full one stops every write"
        finding = warning if free else failure
        return finding("disk", f"{free >> 20} MiB are free for {folder}", cure)
    return fine("disk", f"{free >> 20} MiB are free for {folder}")


def _port(environ: Mapping[str, str]) -> Finding:
    host, port = environ.get("HOST") or "127.0.0.1", environ.get("PORT") or SERVE_PORT
    if not port.isdecimal() or int(port) > 65_535:  # noqa: PLR2004 - TCP's last
        return failure("port", f"PORT={port} is no port", "set PORT to a number up to 65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with contextlib.closing(socket.socket(family, kind, protocol)) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except (OSError, UnicodeError) as error:
        cure = "end what listens there, or set PORT to another; HOST is an address of this machine"
        reason = getattr(error, "strerror", None) or "that is no host name"
        return warning("port", f"{host}:{port} cannot be listened on: {reason}", cure)
    return fine("port", f"{host}:{port} is free")


async def upstream_findings(environ: Mapping[str, str]) -> AsyncIterator[Finding]:
    """Whether OpenAI's servers can be reached from here."""
    provided = {name: environ[name] for name in UPSTREAM if environ.get(name)}
    placeholder = {"ENCRYPTION_KEYS": "A" * 43 + "="}  # no key is needed to look at an address
    try:
        settings = from_environ(ConsoleSettings, {**provided, **placeholder})
    except SettingsError as error:
        for fault in error.faults:
            yield failure("settings", fault, CORRECT)
        return
    for report in await RouteTest(settings).run():
        yield finding_of(report)


def finding_of(report: RouteReport) -> Finding:
    """What the test of the way to one server has found, with the time of each step."""
    name = {"backend": "backend", "authorization": "sign-in server"}[report.name]
    way = f" through {report.proxy}" if report.proxy else ""
    last = report.steps[-1]
    times = ", ".join(f"{step.name} {step.milliseconds:.0f} ms" for step in report.steps)
    if not report.passed:
        step = f"proxy: {last.name}" if report.proxy and last.name in {"dns", "tcp"} else last.name
        cure = CURES.get(last.code, "let this machine out to port 443, or name a proxy")
        found = f"{report.host} cannot be reached{way} ({step}: {last.note}; {times})"
        return failure(name, found, cure)
    if abs(report.clock_seconds) > SECONDS_APART:
        seconds, ahead = abs(report.clock_seconds), report.clock_seconds > 0
        found = (
            f"{report.host} is {seconds} s {'ahead of' if ahead else 'behind'} this machine's clock"
        )
        return warning(name, found, "let NTP set the clock: tokens end, and TLS fails, by it")
    return fine(name, f"{report.host} answers{way} ({times})")
