"""The client identity sent to the Codex backend, and the headers of every request to it.

Names and order of the headers are those of the Codex CLI 0.169.0.
"""

import functools

import msgspec


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """The client identity: in the CLI's form, with this product named in the trailing comment."""

    originator: str = "codex_cli_rs"
    """Decides models and load shedding upstream; must suit `version`."""
    version: str = "0.171.0"
    """Client version; models refuse versions older than their minimum."""
    system: str = "Debian 12.0.0; x86_64"
    """Operating system and architecture."""
    terminal: str = "xterm"
    """Terminal name."""
    product: str = "codex-proapi"
    """Our own name."""
    product_version: str = "0"
    """Our own version."""

    @property
    def user_agent(self) -> str:
        """`originator/version (system) terminal (product; version)`."""
        return (
            f"{self.originator}/{self.version} ({self.system}) {self.terminal}"
            f" ({self.product}; {self.product_version})"
        )

    @property
    def headers(self) -> dict[str, str]:
        """`originator` and `user-agent`: all that the authorization server gets."""
        return {"originator": self.originator, "user-agent": self.user_agent}


def account_headers(
    identity: Identity, *, access_token: str, workspace: str, fedramp: bool
) -> dict[str, str]:
    """Headers of any backend request made for an account.

    Args:
        identity: The client identity.
        access_token: The bearer token.
        workspace: The ChatGPT account id; empty leaves its header out.
        fedramp: Whether the workspace is a FedRAMP one.
    """
    headers = {
        "authorization": f"Bearer {access_token}",
        **_headers_of(identity),
    }
    if workspace:
        headers["chatgpt-account-id"] = workspace
    if fedramp:
        headers["x-openai-fedramp"] = "true"
    return headers


@functools.lru_cache(maxsize=8)
def _headers_of(identity: Identity) -> dict[str, str]:
    """The headers that are the same for all accounts; not to be changed."""
    return {**identity.headers, "version": identity.version}
