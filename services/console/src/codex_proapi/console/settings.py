"""The console's settings, read once from the environment in `__main__`."""

import ipaddress
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from codex_proapi.commons.proxy.address import ProxyRules, parse_proxy
from codex_proapi.commons.runtime.settings import CommonSettings, Network, Secret, Url

CALLBACK_PATH = "/auth/callback"
"""Where a browser login comes back to on a console."""

REGISTERED_REDIRECT = f"http://localhost:1455{CALLBACK_PATH}"
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
    """Redirect address registered for the client id; empty is the public client id's."""
    admin_password: Annotated[str, Secret] = ""
    """First administrator's password. Once one is stored this is ignored."""
    api_key_policy: Literal["open", "required"] = "required"
    """The same setting as the gateway has; pages warn where no key is required."""
    allowed_hosts: tuple[str, ...] = ()
    """Further host names the console answers to; a setting because only the operator knows DNS."""

    alert_networks: tuple[Network, ...] = ()
    """Address ranges inside the network that alerts may be delivered to, beside public addresses."""

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
        """Whether only this machine can connect: no login is then needed without a password."""
        public = urlsplit(self.public_url).hostname or "localhost"
        return is_loopback(self.host) and is_loopback(public)

    @property
    def alert_proxy_rules(self) -> ProxyRules:
        """Proxies on the way to webhooks: the machine's; UPSTREAM_PROXY leads upstream only."""
        return machine_proxies(self.https_proxy or self.all_proxy, no_proxy=self.no_proxy)

    @property
    def redirect_uri(self) -> str:
        """The redirect URI of every browser and pasted login: one that OpenAI has registered.

        Never derived from PUBLIC_URL or a proxy's headers: the authorization server compares whole
        addresses and refuses any other one (`authorize_hydra_invalid_request`).
        """
        return self.oauth_redirect_uri or REGISTERED_REDIRECT


def machine_proxies(text: str, *, no_proxy: str) -> ProxyRules:
    """The rules of a machine's environment; a text that is no proxy's address is none."""
    try:
        proxy = parse_proxy(text) if text else None
    except ValueError:  # one that UPSTREAM_PROXY overrules, so that nobody has complained
        proxy = None
    return ProxyRules(environment=proxy, no_proxy=no_proxy)


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine itself."""
    if host in LOCAL_NAMES or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
