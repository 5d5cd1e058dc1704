"""What the console reads from its environment, once, in `__main__`."""

import ipaddress
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from codex_proapi.commons.runtime.settings import CommonSettings, Secret, Url

REGISTERED_REDIRECT = "http://localhost:1455/auth/callback"
"""The one redirect address known to be registered for the public client id."""

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts that are this machine itself, as a browser writes them."""

MIN_PASSWORD = 12
"""Least length of the administrator's password."""


class ConsoleSettings(CommonSettings, frozen=True, kw_only=True):
    """The console's settings; the shared ones are in CommonSettings."""

    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8081
    """Port to listen on; 0 takes a free one."""
    oauth_redirect_uri: Url = ""
    """Redirect address of the browser login; empty derives it (see `redirect_uri`)."""
    admin_password: Annotated[str, Secret] = ""
    """First administrator's password. Once one is stored this is ignored."""
    api_key_policy: Literal["open", "required"] = "required"
    """What the gateway beside us is told; the pages warn where anybody may use it."""
    allowed_hosts: tuple[str, ...] = ()
    """Further host names the console answers to; a setting because only the operator knows DNS."""

    def __repr__(self) -> str:
        return super().__repr__()

    def faults(self) -> list[str]:
        """One sentence for each value that its type alone cannot refuse."""
        found = super().faults()
        if 0 < len(self.admin_password) < MIN_PASSWORD:
            found.append(f"ADMIN_PASSWORD must have at least {MIN_PASSWORD} characters.")
        return found

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach us: then, without a password, no login is asked."""
        public = urlsplit(self.public_url).hostname or "localhost"
        return is_loopback(self.host) and is_loopback(public)

    def redirect_uri(self, forwarded_origin: str = "") -> str:
        """The redirect address in force; `forwarded_origin` is what a trusted proxy says we are."""
        if self.oauth_redirect_uri:
            return self.oauth_redirect_uri
        origin = self.public_url or forwarded_origin
        return f"{origin}/auth/callback" if origin else REGISTERED_REDIRECT


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine itself."""
    if host in LOCAL_NAMES or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
