"""Ends logins at OpenAI from the command line, by the settings of the way there."""

from collections.abc import Mapping

from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.codex.token_endpoint import TokenEndpoint
from codex_proapi.commons.connections.http_client import http_client
from codex_proapi.commons.runtime.settings import from_environ
from codex_proapi.console.accounts.log_out import LOG_OUT_SECONDS, log_out
from codex_proapi.console.settings import ConsoleSettings

READ = (
    *("CODEX_AUTH_URL", "CODEX_CLIENT_ID", "UPSTREAM_PROXY", "UPSTREAM_PROXY_FILE"),
    *("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"),
)
"""The settings of the way to the authorization server; no other one can be wrong here."""
PLACEHOLDER = {"ENCRYPTION_KEYS": "A" * 43 + "="}
"""No key is needed to read them."""


class UpstreamLogin:
    """Logins as the authorization server of an environment knows them.

    Raises SettingsError where one of its settings is wrong.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        provided = {name: environ[name] for name in READ if environ.get(name)}
        self._settings = from_environ(ConsoleSettings, provided | PLACEHOLDER)

    def __repr__(self) -> str:
        return f"<UpstreamLogin at {self._settings.codex_auth_url}>"

    async def end(self, accounts: AccountStore, account_id: str) -> bool:
        """Revoke an account's login; False if that was not possible."""
        settings = self._settings
        async with http_client(settings.proxy_rules, timeout=LOG_OUT_SECONDS) as client:
            endpoint = TokenEndpoint(
                client,
                issuer=settings.codex_auth_url,
                client_id=settings.codex_client_id,
                identity={},  # headers of refreshes, and none is made
            )
            return await log_out(accounts, endpoint, account_id)
