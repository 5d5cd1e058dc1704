"""Names and attributes of the console's cookies."""

import re

from codex_proapi.console.server.middleware import Origin

HTTP_PORT = 80
_PORT = re.compile(r":(\d{1,5})$")
"""In an address without a path. Any client may send a host with port 99999, which `urlsplit` refuses."""


def cookie_name(what: str, origin: Origin) -> str:
    """The full name of a cookie.

    Over https the prefix `__Host-` keeps other hosts from setting it. Over http it contains the
    port, which cookies ignore: two consoles on one machine must not overwrite each other's
    cookies.
    """
    if origin.secure:
        return f"__Host-{what}"
    port = _PORT.search(origin.address)
    return f"cpa-{what}-{int(port[1]) if port else HTTP_PORT}"


def cookie_header(what: str, value: str, *, origin: Origin, max_age: int | None = None) -> str:
    """The Set-Cookie header of a cookie that scripts cannot read.

    `max_age` is in seconds; 0 deletes it, None keeps it until the browser is closed.
    """
    parts = [f"{cookie_name(what, origin)}={value}", "Path=/", "HttpOnly", "SameSite=Lax"]
    if origin.secure:
        parts.append("Secure")
    if max_age is not None:
        parts.append(f"Max-Age={max_age}")
    return "; ".join(parts)
