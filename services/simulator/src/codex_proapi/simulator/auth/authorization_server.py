"""The simulated authorization server over HTTP: browser login, tokens, device codes, revocation."""

import asyncio
import html
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from aiohttp import web

from codex_proapi.simulator.accounts import CLIENT_ID, SimulatedAccount
from codex_proapi.simulator.auth.admission import account_of_bearer
from codex_proapi.simulator.auth.logins import DEVICE_REDIRECT
from codex_proapi.simulator.backend.delivery import reset
from codex_proapi.simulator.faults import Fault
from codex_proapi.simulator.received_requests import ReceivedRequest, TokenCall
from codex_proapi.simulator.refusals import Circumstance, Refusal, oauth_error, refuse
from codex_proapi.simulator.world import World

_CHALLENGE_LENGTH = 43
_STATE_LEAST = 8


class AuthorizationServer:
    """The routes of the authorization server over one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __repr__(self) -> str:
        return f"<AuthorizationServer of {self._world.logins!r}>"

    def routes(self) -> list[web.RouteDef]:
        """What it answers."""
        device = "/api/accounts/deviceauth"
        return [
            web.get("/oauth/authorize", self.authorize, allow_head=False),
            web.get("/oauth/authorize/decide", self.decide, allow_head=False),
            web.post("/oauth/token", self.token),
            web.post("/oauth/revoke", self.revoke),
            web.post(f"{device}/usercode", self.usercode),
            web.post(f"{device}/token", self.device_token),
            web.get("/codex/device", self.device_page, allow_head=False),
            web.post("/codex/device", self.device_decide),
            web.get("/api/accounts/v1/user-auth-credential/whoami", self.whoami, allow_head=False),
        ]

    async def authorize(self, request: web.Request) -> web.StreamResponse:
        """The consent page, or the error page that comes before any login."""
        arrival = await self._note(request)
        fault = self._world.faults.take("authorize")
        problem = self._authorize_problem(dict(request.query))
        if problem or fault.refusal:
            arrival.status, arrival.code = 400, "authorize_hydra_invalid_request"
            page = _ERROR_PAGE.format(reason=html.escape(problem or fault.refusal))
            return _page(page, status=400)
        arrival.status = 200
        hidden = "".join(
            f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
            for name, value in request.query.items()
        )
        return _page(_CONSENT_PAGE.format(hidden=hidden, buttons=self._buttons()))

    async def decide(self, request: web.Request) -> web.StreamResponse:
        """A person has chosen an account, or said no: back to the client."""
        arrival = await self._note(request)
        asked = dict(request.query)
        if self._authorize_problem(asked):
            return _page(_ERROR_PAGE.format(reason="authorize_hydra_invalid_request"), status=400)
        arrival.status = 302
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

    async def token(self, request: web.Request) -> web.StreamResponse:
        """POST /oauth/token: code exchange (form) and refresh (JSON or form)."""
        arrival = await self._note(request)
        form = arrival.body if isinstance(arrival.body, dict) else {}
        account = self._account_of_form(form)
        fault = self._world.faults.take("token", account=account.name if account else None)
        # The record is written even when the caller hangs up meanwhile.
        if fault.drop == "before":
            return self._token_dropped(request, arrival, form, account)
        outcome = self._token_outcome(form, fault, account, _is_form(request))
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.drop == "after":
            return self._token_dropped(request, arrival, form, account)
        refused = isinstance(outcome, Refusal)
        status = outcome.status if isinstance(outcome, Refusal) else 200
        code = outcome.code if isinstance(outcome, Refusal) else ""
        self._record_token_call(arrival, form, account, status=status, code=code)
        arrival.end("refused" if refused else "whole", self._world.clock())
        return _reply(outcome)

    async def revoke(self, request: web.Request) -> web.StreamResponse:
        """POST /oauth/revoke: end the login of a token."""
        arrival = await self._note(request)
        fault = self._world.faults.take("revoke")
        if fault.refusal or fault.status:
            return _reply(self._scripted(fault, None))
        token = (arrival.body or {}).get("token", "")
        known = self._world.logins.refresh_tokens.get(token)
        if known is not None:
            self._world.logins.revoke_family(known.family)
        arrival.status = 200
        return web.Response(status=200)

    async def usercode(self, request: web.Request) -> web.StreamResponse:
        """POST …/deviceauth/usercode: begin a device login."""
        arrival = await self._note(request)
        fault = self._world.faults.take("usercode")
        if fault.refusal or fault.status:
            return _reply(self._scripted(fault, None))
        if not isinstance(arrival.body, dict) or arrival.body.get("client_id") != CLIENT_ID:
            return _reply(oauth_error("invalid_client", "Unknown client.", status=401))
        identity, login = self._world.logins.begin_device(now=self._world.clock())
        return _reply(
            {
                "device_auth_id": identity,
                "user_code": login.user_code,
                "interval": self._world.device_interval,
            }
        )

    async def device_token(self, request: web.Request) -> web.StreamResponse:
        """POST …/deviceauth/token: still pending, or the code."""
        arrival = await self._note(request)
        fault = self._world.faults.take("device_token")
        if fault.refusal or fault.status:
            return _reply(self._scripted(fault, None))
        asked = arrival.body if isinstance(arrival.body, dict) else {}
        outcome = self._world.logins.poll_device(
            str(asked.get("device_auth_id", "")),
            str(asked.get("user_code", "")),
            now=self._world.clock(),
        )
        return _reply(outcome)

    async def device_page(self, request: web.Request) -> web.StreamResponse:
        """Where a person types the device code."""
        code = html.escape(request.query.get("user_code", ""))
        return _page(_DEVICE_PAGE.format(code=code, buttons=self._buttons()))

    async def device_decide(self, request: web.Request) -> web.StreamResponse:
        """A person has typed the code and chosen an account."""
        form = await request.post()
        login = self._world.logins.device_of(str(form.get("user_code", "")))
        if login is None:
            return _page("<h1>Unknown code</h1>", status=404)
        chosen = str(form.get("login", ""))
        if chosen == "deny":
            login.denied = True
        else:
            login.approved_by = self._world.account(chosen)
        return _page("<h1>Done</h1><p>You may close this page.</p>")

    async def whoami(self, request: web.Request) -> web.StreamResponse:
        """GET …/whoami: whose `at-…` token this is."""
        await self._note(request)
        account = account_of_bearer(request.headers, self._world)
        if isinstance(account, Refusal):
            return _reply(account)
        return _reply(
            {
                "email": account.email,
                "chatgpt_user_id": account.user_id,
                "chatgpt_account_id": account.workspace,
                "chatgpt_plan_type": account.plan,
                "chatgpt_account_is_fedramp": account.fedramp,
            }
        )

    def _authorize_problem(self, asked: dict[str, str]) -> str:
        """What the authorization server does not like about a login; empty when all is well."""
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

    def _buttons(self) -> str:
        names = [(account.name, account) for account in self._world.accounts]
        buttons = "".join(
            f'<button name="login" value="{html.escape(name)}">'
            f"{html.escape(account.email)} ({html.escape(account.plan)})</button> "
            for name, account in names
        )
        return buttons + '<button name="login" value="deny">Deny</button>'

    async def _note(self, request: web.Request) -> ReceivedRequest:
        raw = await request.read()
        arrival = ReceivedRequest(
            method=request.method,
            path=request.path,
            headers={name.lower(): value for name, value in request.headers.items()},
            at=self._world.clock(),
        )
        if raw:
            arrival.body = _form_of(raw, request)
        self._world.note(arrival)
        return arrival

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
            return self._scripted(fault, account)
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

    def _scripted(self, fault: Fault, account: SimulatedAccount | None) -> Refusal:
        at = Circumstance(
            now=self._world.clock(),
            plan=account.plan if account else "",
            retry_after=fault.retry_after,
        )
        if fault.refusal:
            return refuse(fault.refusal, at)
        return Refusal(status=fault.status, body=fault.body or {"error": "scripted"})

    def _token_dropped(
        self,
        request: web.Request,
        arrival: ReceivedRequest,
        form: dict[str, Any],
        account: SimulatedAccount | None,
    ) -> web.StreamResponse:
        self._record_token_call(arrival, form, account, status=0, code="dropped")
        arrival.end("dropped", self._world.clock())
        reset(request)
        return web.Response()

    def _record_token_call(
        self,
        arrival: ReceivedRequest,
        form: dict[str, Any],
        account: SimulatedAccount | None,
        *,
        status: int,
        code: str,
    ) -> None:
        arrival.status, arrival.code = status, code
        arrival.account = account.name if account else ""
        self._world.token_calls.append(
            TokenCall(
                grant_type=str(form.get("grant_type", "")),
                account=arrival.account,
                reason=str(form.get("refresh_reason", "")),
                status=status,
                code=code,
                at=arrival.at,
            )
        )


def _is_form(request: web.Request) -> bool:
    return request.content_type == "application/x-www-form-urlencoded"


def _form_of(raw: bytes, request: web.Request) -> Any:
    if _is_form(request):
        return dict(parse_qsl(raw.decode(), keep_blank_values=True))
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return None


def _reply(outcome: dict[str, Any] | Refusal) -> web.StreamResponse:
    if isinstance(outcome, Refusal):
        if isinstance(outcome.body, str):
            return web.Response(
                body=outcome.body.encode(), status=outcome.status, headers=outcome.headers
            )
        headers = {"content-type": "application/json", **outcome.headers}
        body = msgspec.json.encode(outcome.body)
        return web.Response(body=body, status=outcome.status, headers=headers)
    return web.Response(
        body=msgspec.json.encode(outcome), headers={"content-type": "application/json"}
    )


def _page(content: str, *, status: int = 200) -> web.StreamResponse:
    page = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Simulated OpenAI</title>{content}</html>'
    return web.Response(text=page, status=status, content_type="text/html")


_CONSENT_PAGE = """<h1>Sign in (simulated)</h1>
<p>Nothing here is real. Choose an invented account.</p>
<form action="/oauth/authorize/decide">{hidden}{buttons}</form>"""
_ERROR_PAGE = """<h1>Oops, an error occurred!</h1>
<p>An error occurred during authentication (authorize_hydra_invalid_request). {reason}</p>"""
_DEVICE_PAGE = """<h1>Enter the code (simulated)</h1>
<form method="post" action="/codex/device">
<input name="user_code" value="{code}" aria-label="Code"> {buttons}</form>"""
