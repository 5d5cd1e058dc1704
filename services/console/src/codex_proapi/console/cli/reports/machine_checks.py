"""Checks of `doctor` on the machine it runs on, and on the way from there to OpenAI."""

import contextlib
import email.utils
import os
import pathlib
import shutil
import socket
import ssl
import time
from collections.abc import AsyncIterator, Mapping

import httpx

from codex_proapi.commons.connections.http_client import http_client
from codex_proapi.commons.proxy.address import Proxy
from codex_proapi.commons.runtime.errors import SettingsError
from codex_proapi.commons.runtime.settings import from_environ
from codex_proapi.console.cli.reports.findings import Finding, failure, fine, warning
from codex_proapi.console.settings import ConsoleSettings

UPSTREAM = (
    *("CODEX_BASE_URL", "CODEX_AUTH_URL", "UPSTREAM_PROXY", "UPSTREAM_PROXY_FILE"),
    *("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"),
)
"""The settings of the way there."""
SECONDS_APART = 60.0
"""A Date header has whole seconds, and is old where a cache kept it."""
TIMEOUT = 10.0
"""Seconds for one look at a server of OpenAI."""
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


def _disk(environ: Mapping[str, str]) -> Finding:
    folder = pathlib.Path(environ.get("DATA_DIR") or ConsoleSettings().data_dir).expanduser()
    there = next((each for each in (folder, *folder.parents) if each.is_dir()), pathlib.Path("/"))
    if not os.access(there, os.W_OK):
        return failure("disk", f"{there} cannot be written to", "set DATA_DIR to a folder of yours")
    free = shutil.disk_usage(there).free
    if free < LEAST_DISK:
        cure = "make room, or set DATA_DIR to a larger disk: a full one stops every write"
        return warning("disk", f"{free >> 20} MiB are free for {folder}", cure)
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
            yield failure("settings", fault, "correct it")
        return
    rules = settings.proxy_rules
    async with http_client(rules, timeout=TIMEOUT) as client:
        for name, url in (
            ("backend", settings.codex_base_url),
            ("sign-in server", settings.codex_auth_url),
        ):
            yield await _reached(client, name, url, proxy=rules.proxy_for_url(url))


async def _reached(
    client: httpx.AsyncClient, name: str, url: str, *, proxy: Proxy | None
) -> Finding:
    host = httpx.URL(url).host
    way = f" through {proxy.name}" if proxy else ""
    try:
        async with client.stream("GET", url) as answer:
            date = _date(answer.headers.get("date", ""))
    except httpx.ProxyError as error:
        cure = "check the address, user and password in UPSTREAM_PROXY, and what the proxy allows"
        return failure(name, f"{host} cannot be reached{way} ({error})", cure)
    except httpx.HTTPError as error:
        step, cure = failed_step(error)
        return failure(name, f"{host} cannot be reached{way} ({step})", cure)
    if date is not None and abs(date - time.time()) > SECONDS_APART:
        return warning(name, f"{host} has another time than this machine", "let NTP set the clock")
    return fine(name, f"{host} answers{way}")


def failed_step(error: BaseException) -> tuple[str, str]:
    """Which step of a connection failed and why, and what to do about it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return f"dns: {cause.strerror}", (
                "this machine's resolver does not know the name: check DNS, or where only a proxy"
                " leads out, name it in UPSTREAM_PROXY"
            )
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"tls: {cause.verify_message}", (
                "let NTP set the clock; where a firewall opens TLS, SSL_CERT_FILE names a file with"
                " its authority"
            )
        if isinstance(cause, ssl.SSLError):
            return (
                "tls",
                "something between speaks no TLS there: a firewall, or a proxy to be named",
            )
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.TimeoutException):
        return "timeout", "a firewall drops it: let this machine out to port 443, or name a proxy"
    step = "tcp" if isinstance(error, httpx.ConnectError) else type(error).__name__
    return step, "let this machine out to port 443; UPSTREAM_PROXY names a proxy"


def _date(header: str) -> float | None:
    """Seconds since the epoch of an HTTP date; None if it is none."""
    try:
        return email.utils.parsedate_to_datetime(header).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
