"""The socket that a server listens on, or one sentence why there is none."""

import socket

from codex_proapi.commons.runtime.errors import CommonsError


class CannotListen(CommonsError):
    """The address cannot be listened on; the message says why and what may help."""


def bound_socket(host: str, port: int) -> socket.socket:
    """A socket bound to an address; `::` is all addresses, those of IPv4 too. Raises CannotListen."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "that is no host name"
        raise CannotListen(
            f"cannot listen on HOST={host}: {reason}. HOST is an address of this machine, as "
            "127.0.0.1 (only this machine) or 0.0.0.0 (everybody who reaches it)."
        ) from None
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, host != "::")
        made.bind(address)
    except OSError as error:
        made.close()
        raise CannotListen(
            f"cannot listen on {host}:{port}: {error.strerror}. Codex Pro API may be running "
            "already, or a Codex CLI is signing in; PORT=… takes another port."
        ) from None
    return made
