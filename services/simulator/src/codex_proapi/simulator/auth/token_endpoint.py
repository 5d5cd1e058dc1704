"""POST /oauth/token: code exchange and refresh."""

from typing import Any

from aiohttp import web

from codex_proapi.simulator.auth.requests import is_form, record_request, reply, scripted_refusal
from codex_proapi.simulator.http.connections import reset
from codex_proapi.simulator.state.accounts import CLIENT_ID, SimulatedAccount
from codex_proapi.simulator.state.faults import Fault
from codex_proapi.simulator.state.logins import DEVICE_REDIRECT
from codex_proapi.simulator.state.received_requests import ReceivedRequest, TokenCall
from codex_proapi.simulator.state.refusals import Refusal, oauth_error
from codex_proapi.simulator.state.world import World


class TokenEndpoint:
    """The token endpoint over one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __repr__(self) -> str:
        return f"<TokenEndpoint of {self._world.logins!r}>"

    def routes(self) -> list[web.RouteDef]:
        """The one route."""
        return [web.post("/oauth/token", self.token)]

    async def token(self, request: web.Request) -> web.StreamResponse:
        """POST /oauth/token: code exchange (form) and refresh (JSON or form)."""
        received = await record_request(request, self._world)
        form = received.body if isinstance(received.body, dict) else {}
        account = self._account_of_form(form)
        fault = self._world.faults.take("token", account=account.name if account else None)
        # The call is recorded even if the client disconnects meanwhile.
        if fault.drop == "before":
            return self._token_dropped(request, received, form, account)
        outcome = self._token_outcome(form, fault, account, is_form(request))
        await self._world.wait(fault.delay)
        if fault.drop == "after":
            return self._token_dropped(request, received, form, account)
        refused = isinstance(outcome, Refusal)
        status = outcome.status if isinstance(outcome, Refusal) else 200
        code = outcome.code if isinstance(outcome, Refusal) else ""
        self._record_token_call(received, form, account, status=status, code=code)
        received.end("refused" if refused else "whole", self._world.clock())
        return reply(outcome)

    def _account_of_form(self, form: dict[str, Any]) -> SimulatedAccount | None:
        token = self._world.logins.refresh_tokens.get(str(form.get("refresh_token", "")))
        if token is not None:
            return token.account
        code = self._world.logins.codes.get(str(form.get("code", "")))
        return None if code is None else code.account

    def _token_outcome(
        self,
        form: dict[str, Any],
        fault: Fault,
        account: SimulatedAccount | None,
        is_form: bool,  # noqa: FBT001 - a fact of the request
    ) -> dict[str, Any] | Refusal:
        if fault.refusal or fault.status:
            return scripted_refusal(fault, self._world, account)
        if form.get("client_id") != CLIENT_ID:
            return oauth_error("invalid_client", "Unknown client.", status=401)
        now = self._world.clock()
        match form.get("grant_type"):
            case "authorization_code" if is_form:
                outcome = self._world.logins.exchange(
                    str(form.get("code", "")),
                    verifier=str(form.get("code_verifier", "")),
                    redirect_uri=self._known_redirect(str(form.get("redirect_uri", ""))),
                    now=now,
                )
            case "refresh_token":
                outcome = self._world.logins.refresh(
                    str(form.get("refresh_token") or ""),
                    now=now,
                    keep="refresh_token" in fault.absent,
                )
            case _:
                return oauth_error("unsupported_grant_type", "Unsupported grant type.")
        if isinstance(outcome, dict):
            outcome = {name: value for name, value in outcome.items() if name not in fault.absent}
        return outcome

    def _known_redirect(self, redirect_uri: str) -> str:
        """The device flow's fixed address, also when the issuer is this simulator."""
        return DEVICE_REDIRECT if redirect_uri.endswith("/deviceauth/callback") else redirect_uri

    def _token_dropped(
        self,
        request: web.Request,
        received: ReceivedRequest,
        form: dict[str, Any],
        account: SimulatedAccount | None,
    ) -> web.StreamResponse:
        self._record_token_call(received, form, account, status=0, code="dropped")
        received.end("dropped", self._world.clock())
        reset(request)
        return web.Response()

    def _record_token_call(
        self,
        received: ReceivedRequest,
        form: dict[str, Any],
        account: SimulatedAccount | None,
        *,
        status: int,
        code: str,
    ) -> None:
        received.status, received.code = status, code
        received.account = account.name if account else ""
        self._world.token_calls.append(
            TokenCall(
                grant_type=str(form.get("grant_type", "")),
                account=received.account,
                reason=str(form.get("refresh_reason", "")),
                status=status,
                code=code,
                at=received.at,
            )
        )
