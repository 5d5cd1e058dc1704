"""The simulator as one object: both servers on one loopback port, with fault rules and received requests."""

import ssl
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from codex_proapi.simulator.auth.authorization_server import AuthorizationServer
from codex_proapi.simulator.backend.codex_backend import CODEX, CodexBackend
from codex_proapi.simulator.backend.sockets import METHOD
from codex_proapi.simulator.control import Control, auth_json
from codex_proapi.simulator.state.accounts import SimulatedAccount, default_accounts
from codex_proapi.simulator.state.fault_rules import Rule
from codex_proapi.simulator.state.faults import Fault, named_fault
from codex_proapi.simulator.state.received_requests import ReceivedRequest, TokenCall
from codex_proapi.simulator.state.world import World

_HEADER_LIMIT = 64 * 1024
_BODY_LIMIT = 256 * 1024 * 1024


class Simulator:
    """The Codex backend and the authorization server, on loopback, for as long as it is entered."""

    def __init__(
        self,
        *,
        port: int = 0,
        accounts: Sequence[SimulatedAccount] | None = None,
        clock: Callable[[], float] = time.time,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`tls` is a server's context with a certificate of your own; without it, plain HTTP."""
        known = default_accounts() if accounts is None else list(accounts)
        self.world = World(accounts=known, clock=clock)
        self._authorization = AuthorizationServer(self.world)
        self._port = port
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._tls = tls

    def __repr__(self) -> str:
        return f"<Simulator on {self._port} with {len(self.world.accounts)} accounts>"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Listen on loopback; port 0 takes a free one."""
        app = web.Application(client_max_size=_BODY_LIMIT)
        app.add_routes(self._authorization.routes())
        app.add_routes(Control(self.world).routes())
        app.add_routes(CodexBackend(self.world).routes())
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handler_cancellation=True,
            auto_decompress=False,
            shutdown_timeout=0.1,
            max_line_size=_HEADER_LIMIT,
            max_field_size=_HEADER_LIMIT,
        )
        await self._runner.setup()
        await self.accept_connections()
        self._port = int(self._runner.addresses[0][1])

    async def refuse_connections(self) -> None:
        """Stop listening: new connections are refused, those that are open go on."""
        if self._site is not None:
            await self._site.stop()
            self._site = None

    async def accept_connections(self) -> None:
        """Listen, again on the same port after `refuse_connections`."""
        if self._site is None and self._runner is not None:
            self._site = web.TCPSite(
                self._runner, "127.0.0.1", self._port, backlog=1024, ssl_context=self._tls
            )
            await self._site.start()

    async def close(self) -> None:
        """Stop listening and end what runs."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = self._site = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def auth_url(self) -> str:
        """For CODEX_AUTH_URL."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    @property
    def base_url(self) -> str:
        """For CODEX_BASE_URL."""
        return f"{self.auth_url}{CODEX}"

    @property
    def environ(self) -> dict[str, str]:
        """The settings that point a process at this simulator."""
        return {"CODEX_BASE_URL": self.base_url, "CODEX_AUTH_URL": self.auth_url}

    @property
    def accounts(self) -> list[SimulatedAccount]:
        """The invented accounts; append to add one."""
        return self.world.accounts

    @property
    def requests(self) -> list[ReceivedRequest]:
        """All received requests, oldest first."""
        return self.world.requests

    @property
    def turns(self) -> list[ReceivedRequest]:
        """The received requests of POST /responses, and the frames of its WebSocket."""
        return self.posted("responses")

    def posted(self, route: str) -> list[ReceivedRequest]:
        """The received requests of POST to a route below the base URL, and the frames sent there."""
        return [
            received
            for received in self.requests
            if received.method in {"POST", METHOD} and received.path == f"{CODEX}/{route}"
        ]

    @property
    def token_calls(self) -> list[TokenCall]:
        """Every call of the token endpoint."""
        return self.world.token_calls

    def account(self, name: str) -> SimulatedAccount:
        """The account of this name."""
        return self.world.account(name)

    def auth_json(
        self, account: SimulatedAccount | str, *, expires_in: float | None = None
    ) -> dict[str, Any]:
        """The content of an auth.json after a fresh login; a negative `expires_in` is expired."""
        return auth_json(self.world, self._known(account), expires_in=expires_in)

    def access_token(
        self, account: SimulatedAccount | str, *, expires_in: float | None = None
    ) -> str:
        """A fresh access token."""
        token: str = self.auth_json(account, expires_in=expires_in)["tokens"]["access_token"]
        return token

    def headers(self, account: SimulatedAccount | str) -> dict[str, str]:
        """The headers of a valid request, for tests that call the backend directly."""
        return {
            "authorization": f"Bearer {self.access_token(account)}",
            "chatgpt-account-id": self._known(account).workspace,
            "content-type": "application/json",
            "accept": "text/event-stream",
            "originator": "codex_cli_rs",
            "version": "0.171.0",
            "user-agent": "codex_cli_rs/0.171.0 (Debian 12.0.0; x86_64) xterm",
            "session-id": "019a0000-0000-7000-8000-000000000001",
        }

    def script(
        self,
        fault: str | Fault,
        *,
        on: str = "responses",
        account: SimulatedAccount | str | None = None,
        model: str | None = None,
        times: int | None = 1,
        skip: int = 0,
        **changes: Any,
    ) -> None:
        """Add a fault rule: a name from `faults.NAMED` with changed fields, or a Fault.

        `times=None` is always, `skip` lets calls pass first; rules are tried in the order given.
        """
        made = named_fault(fault, changes) if isinstance(fault, str) else fault
        name = None if account is None else self._known(account).name
        self.world.faults.add(
            Rule(fault=made, on=on, account=name, model=model, times=times, skip=skip)
        )

    def hurry(self) -> None:
        """Let no fault wait from now on; answers that wait go on at once."""
        self.world.hurried.set()

    def clear(self) -> None:
        """Forget fault rules and received requests."""
        self.world.faults.clear()
        self.world.requests.clear()
        self.world.token_calls.clear()

    def authorize(self, url: str, account: SimulatedAccount | str) -> str:
        """The callback address to which the browser is redirected after consent to this authorize URL."""
        asked = dict(parse_qsl(urlsplit(url).query))
        return self._authorization.callback_url(asked, login=self._known(account).name)

    def approve_device(self, user_code: str, account: SimulatedAccount | str) -> None:
        """Approve a device login, as a person would after typing its code."""
        login = self.world.logins.device_of(user_code)
        if login is None:
            raise LookupError(user_code)
        login.approved_by = self._known(account)

    def deny_device(self, user_code: str) -> None:
        """Refuse a device login, as a person would after typing its code."""
        login = self.world.logins.device_of(user_code)
        if login is None:
            raise LookupError(user_code)
        login.denied = True

    def invalidate_access_tokens(self, account: SimulatedAccount | str) -> None:
        """Every access token issued so far is refused; the refresh token still works."""
        self._known(account).first_valid_token = self.world.logins.tokens_issued + 1

    def end_login(self, account: SimulatedAccount | str) -> None:
        """Every token of an account is refused: only signing in again helps."""
        self.invalidate_access_tokens(account)
        self.world.logins.revoke_account(self._known(account))

    def _known(self, account: SimulatedAccount | str) -> SimulatedAccount:
        return self.world.account(account) if isinstance(account, str) else account
