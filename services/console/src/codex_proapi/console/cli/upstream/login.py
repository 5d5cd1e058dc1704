"""Logins at OpenAI from the command line: by a device code or a personal access token, and their end."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping

from codex_proapi.commons.accounts.model import Account
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.codex.identity import Identity
from codex_proapi.commons.codex.token_endpoint import TokenEndpoint
from codex_proapi.commons.connections.http_client import http_client
from codex_proapi.commons.runtime.settings import from_environ
from codex_proapi.console.accounts.auth_json import AuthFile
from codex_proapi.console.accounts.device_login import DeviceLogins
from codex_proapi.console.accounts.log_out import LOG_OUT_SECONDS, log_out
from codex_proapi.console.accounts.login_service import LoginService
from codex_proapi.console.accounts.pending_logins import LoginState, PendingLogin, PendingLogins
from codex_proapi.console.accounts.personal_tokens import read_personal_token
from codex_proapi.console.cli.opened_store import ACTOR, OpenedStore
from codex_proapi.console.errors import Code, LoginRefused, NotFound
from codex_proapi.console.settings import ConsoleSettings
from codex_proapi.console.version import own_version

READ = (
    *("CODEX_AUTH_URL", "CODEX_CLIENT_ID", "CODEX_CLIENT_VERSION", "CODEX_ORIGINATOR"),
    *("UPSTREAM_PROXY", "UPSTREAM_PROXY_FILE"),
    *("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"),
)
"""The settings of the way to the authorization server; no other one can be wrong here."""
PLACEHOLDER = {"ENCRYPTION_KEYS": "A" * 43 + "="}
"""No key is needed to read them."""
SIGN_IN_SECONDS = 15.0
"""Patience with one answer of the authorization server."""
OWNERS = frozenset({ACTOR})


class UpstreamLogin:
    """Logins as the authorization server of an environment knows them.

    Raises SettingsError where one of its settings is wrong.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        provided = {name: environ[name] for name in READ if environ.get(name)}
        self._settings = from_environ(ConsoleSettings, provided | PLACEHOLDER)

    def __repr__(self) -> str:
        return f"<UpstreamLogin at {self._settings.codex_auth_url}>"

    async def sign_in(
        self, store: OpenedStore, *, account_id: str, show: Callable[[PendingLogin], None]
    ) -> Account:
        """Sign an account in with a code that a person enters in a browser anywhere.

        Args:
            store: Where the account is kept.
            account_id: The account that has to sign in again; empty for any.
            show: Is called once, with the code.

        Raises:
            ConsoleError: Why the login has failed. One that is interrupted is given up.
        """
        async with self._endpoint(SIGN_IN_SECONDS) as endpoint:
            pending = PendingLogins(store.redis, store.cipher, clock=time.time)
            service = LoginService(
                settings=self._settings,
                accounts=store.accounts,
                endpoint=endpoint,
                pending=pending,
                clock=time.time,
            )
            devices = DeviceLogins(
                login_service=service, endpoint=endpoint, pending=pending, clock=time.time
            )
            begun = await devices.begin(owner=ACTOR, account=account_id)
            show(begun)
            try:
                signed_in = await _polled(devices, begun)
            except asyncio.CancelledError:
                await service.give_up(begun.id, owners=OWNERS)
                raise
        account = await store.accounts.get(signed_in)
        if account is None:  # removed in this moment
            raise NotFound(Code.UNKNOWN_ACCOUNT)
        return account

    async def end(self, accounts: AccountStore, account_id: str) -> bool:
        """Revoke an account's login; False if that was not possible."""
        async with self._endpoint(LOG_OUT_SECONDS) as endpoint:
            return await log_out(accounts, endpoint, account_id)

    async def read_token(self, token: str, *, name: str = "", expires_at: int = 0) -> AuthFile:
        """Ask whose a personal access token is; raises ConsoleError like `read_personal_token`."""
        async with self._endpoint(SIGN_IN_SECONDS) as endpoint:
            return await read_personal_token(
                token, endpoint, now=time.time(), name=name, expires_at=expires_at
            )

    @contextlib.asynccontextmanager
    async def _endpoint(self, patience: float) -> AsyncIterator[TokenEndpoint]:
        settings = self._settings
        identity = Identity(
            originator=settings.codex_originator,
            version=settings.codex_client_version,
            product_version=own_version(),
        )
        async with http_client(settings.proxy_rules, timeout=patience) as client:
            yield TokenEndpoint(
                client,
                issuer=settings.codex_auth_url,
                client_id=settings.codex_client_id,
                identity=identity.headers,
            )


async def _polled(devices: DeviceLogins, begun: PendingLogin) -> str:
    """Wait for the end of a login; the id of its account, or LoginRefused with the reason."""
    interval = begun.device.interval if begun.device else 1
    while True:
        await asyncio.sleep(interval)
        outcome, _ = await devices.poll(begun.id, owners=OWNERS)
        if outcome.login_state is LoginState.DONE:
            return outcome.account
        if outcome.login_state is LoginState.FAILED:
            raise LoginRefused(Code(outcome.code))
