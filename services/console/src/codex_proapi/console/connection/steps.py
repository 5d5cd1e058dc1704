"""What a test of the way to a server found, step by step, and what its failures are called. Pure."""

import socket
import ssl
from typing import Final

import httpcore
import msgspec

from codex_proapi.commons.connections.pace import is_edge_refusal

STEPS: Final = ("dns", "tcp", "proxy", "tls", "http")
"""In the order they are taken; through a proxy the first two lead to the proxy."""
SERVER_FAULT: Final = 500
AUTHENTICATION: Final = ("407", "authentication", "password")
"""Words in what a proxy says that asks for another password."""


class RouteStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step."""

    name: str
    """One of `STEPS`."""
    passed: bool
    milliseconds: float
    code: str = ""
    """The error code; empty on success."""
    note: str = ""
    """What was found: addresses, the version of TLS, a status; or the words of the failure."""


class RouteReport(msgspec.Struct, frozen=True, kw_only=True):
    """The way to one server, up to the first step that failed."""

    name: str
    """`backend` or `authorization`."""
    host: str
    proxy: str
    """Address of the proxy on the way, without user and password; empty for the direct way."""
    passed: bool
    clock_seconds: int
    """How far its clock is ahead of ours; 0 where it tells no time."""
    steps: list[RouteStep]


def code_of(step: str, error: Exception, *, proxied: bool) -> str:
    """What the failure of a step is called.

    Args:
        step: one of `STEPS`.
        error: what it raised.
        proxied: whether a proxy is on the way.
    """
    if step == "dns":
        return "proxy_unknown" if proxied else "host_unresolved"
    if step == "tcp" and proxied:
        return "proxy_unreachable"
    if isinstance(error, TimeoutError):
        return {"proxy": "proxy_timeout", "http": "upstream_timeout"}.get(step, f"{step}_timeout")
    if step == "tcp":
        return "tcp_refused" if isinstance(error, ConnectionRefusedError) else "tcp_unreachable"
    if step == "proxy":
        return _proxy_code(error)
    if step == "tls":
        return "tls_untrusted" if _certificate(error) else "tls_failed"
    return "http_broken"


def words_of(error: Exception) -> str:
    """What a failure says, without addresses and without what a server may have sent."""
    if certificate := _certificate(error):
        return certificate.verify_message or "certificate"
    if isinstance(error, socket.gaierror):
        return error.strerror or "unknown"
    if isinstance(error, httpcore.ProxyError):
        return str(error).removeprefix("proxy: ")
    return type(error).__name__


def code_of_answer(status: int, content_type: str) -> str:
    """What an answer's fault is called; empty where it is none: without a token any refusal is right."""
    if is_edge_refusal(status, content_type):
        return "egress_refused"
    return "server_error" if status >= SERVER_FAULT else ""


def _proxy_code(error: Exception) -> str:
    said = words_of(error)
    if any(word in said for word in AUTHENTICATION):
        return "proxy_password"
    if said.startswith("speaks no"):
        return "proxy_kind"
    return "proxy_tls" if said.startswith("TLS") else "proxy_refused"


def _certificate(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """The failed check of a certificate that led to an error."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error
        error = error.__cause__ or error.__context__
    return None
