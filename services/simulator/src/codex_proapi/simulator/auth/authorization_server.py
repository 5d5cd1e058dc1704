"""The simulated authorization server over HTTP: browser login, tokens, device codes, revocation."""

import html
from urllib.parse import urlencode

from aiohttp import web

from codex_proapi.simulator.auth.device_login import DeviceLoginEndpoints
from codex_proapi.simulator.auth.pages import CONSENT_PAGE, ERROR_PAGE, page
from codex_proapi.simulator.auth.requests import (
    login_buttons,
    record_request,
    reply,
    scripted_refusal,
)
from codex_proapi.simulator.auth.token_endpoint import TokenEndpoint
from codex_proapi.simulator.http.authentication import account_of_personal_token
from codex_proapi.simulator.state.accounts import CLIENT_ID
from codex_proapi.simulator.state.refusals import Refusal
from codex_proapi.simulator.state.world import World

_CHALLENGE_LENGTH = 43
_STATE_LEAST = 8


class AuthorizationServer:
    """The routes of the authorization server over one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __repr__(self) -> str:
        return f"<AuthorizationServer of {self._world.logins!r}>"

    def routes(self) -> list[web.RouteDef]:
        """The routes of the authorization server."""
        return [
            web.get("/oauth/authorize", self.authorize, allow_head=False),
            web.get("/oauth/authorize/decide", self.decide, allow_head=False),
            web.post("/oauth/revoke", self.revoke),
            web.get("/api/accounts/v1/user-auth-credential/whoami", self.whoami, allow_head=False),
            *TokenEndpoint(self._world).routes(),
            *DeviceLoginEndpoints(self._world).routes(),
        ]

    async def authorize(self, request: web.Request) -> web.StreamResponse:
        """The consent page, or the error page that comes before any login."""
        received = await record_request(request, self._world)
        fault = self._world.faults.take("authorize")
        problem = self._authorize_problem(dict(request.query))
        if problem or fault.refusal:
            received.status, received.code = 400, "authorize_hydra_invalid_request"
            reason = html.escape(problem or fault.refusal)
            return page(ERROR_PAGE.format(reason=reason), status=400)
        received.status = 200
        hidden = "".join(
            f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
            for name, value in request.query.items()
        )
        return page(CONSENT_PAGE.format(hidden=hidden, buttons=login_buttons(self._world.accounts)))

    async def decide(self, request: web.Request) -> web.StreamResponse:
        """Redirect to the client after an account was chosen, or the login was refused."""
        received = await record_request(request, self._world)
        asked = dict(request.query)
        if self._authorize_problem(asked):
            return page(ERROR_PAGE.format(reason="authorize_hydra_invalid_request"), status=400)
        received.status = 302
        location = self.callback_url(asked, login=asked.get("login", ""))
        return web.Response(status=302, headers={"location": location})

    def callback_url(self, asked: dict[str, str], *, login: str) -> str:
        """Where the browser is sent after the decision; `deny` refuses."""
        back: dict[str, str]
        if login == "deny":
            back = {
                "error": "access_denied",
                "error_description": "missing_codex_entitlement",
                "state": asked["state"],
            }
        else:
            scope = asked["scope"]
            code = self._world.logins.issue_code(
                self._world.account(login),
                challenge=asked["code_challenge"],
                redirect_uri=asked["redirect_uri"],
                now=self._world.clock(),
                scope=scope,
            )
            back = {"code": code, "scope": scope, "state": asked["state"]}
        return f"{asked['redirect_uri']}?{urlencode(back)}"

    async def revoke(self, request: web.Request) -> web.StreamResponse:
        """POST /oauth/revoke: end the login of a token."""
        received = await record_request(request, self._world)
        fault = self._world.faults.take("revoke")
        if fault.refusal or fault.status:
            return reply(scripted_refusal(fault, self._world))
        token = (received.body or {}).get("token", "")
        known = self._world.logins.refresh_tokens.get(token)
        if known is not None:
            self._world.logins.revoke_family(known.family)
        received.status = 200
        return web.Response(status=200)

    async def whoami(self, request: web.Request) -> web.StreamResponse:
        """GET …/whoami: whose `at-…` token this is; a login's token is refused."""
        received = await record_request(request, self._world)
        fault = self._world.faults.take("whoami")
        await self._world.wait(fault.delay)
        if fault.refusal or fault.status:
            received.status = fault.status
            return reply(scripted_refusal(fault, self._world))
        account = account_of_personal_token(request.headers, self._world)
        if isinstance(account, Refusal):
            received.status = account.status
            return reply(account)
        received.status, received.account = 200, account.name
        answer = {
            "email": account.email,
            "chatgpt_user_id": account.user_id,
            "chatgpt_account_id": account.workspace,
            "chatgpt_plan_type": account.plan,
            "chatgpt_account_is_fedramp": account.fedramp,
        }
        return reply({name: value for name, value in answer.items() if name not in fault.absent})

    def _authorize_problem(self, asked: dict[str, str]) -> str:
        """Why an authorize request is invalid; empty if it is valid."""
        if asked.get("client_id") != CLIENT_ID:
            return "invalid_client"
        if asked.get("redirect_uri") not in self._world.redirects:
            return "authorize_hydra_invalid_request"
        if asked.get("response_type") != "code":
            return "unsupported_response_type"
        if asked.get("code_challenge_method") != "S256":
            return "code_challenge_method must be S256"
        if len(asked.get("code_challenge", "")) != _CHALLENGE_LENGTH:
            return "code_challenge is malformed"
        if len(asked.get("state", "")) < _STATE_LEAST:
            return "state is missing or too short"
        return "" if "openid" in asked.get("scope", "").split() else "scope lacks openid"
