"""Signing in with a device code: the two endpoints a client polls and the page a person opens."""

import html

from aiohttp import web

from codex_proapi.simulator.auth.pages import DEVICE_PAGE, page
from codex_proapi.simulator.auth.requests import (
    login_buttons,
    record_request,
    reply,
    scripted_refusal,
)
from codex_proapi.simulator.state.accounts import CLIENT_ID
from codex_proapi.simulator.state.refusals import oauth_error
from codex_proapi.simulator.state.world import World


class DeviceLoginEndpoints:
    """The routes of the device flow over one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __repr__(self) -> str:
        return f"<DeviceLoginEndpoints of {self._world.logins!r}>"

    def routes(self) -> list[web.RouteDef]:
        """Its routes."""
        device = "/api/accounts/deviceauth"
        return [
            web.post(f"{device}/usercode", self.usercode),
            web.post(f"{device}/token", self.device_token),
            web.get("/codex/device", self.device_page, allow_head=False),
            web.post("/codex/device", self.device_decide),
        ]

    async def usercode(self, request: web.Request) -> web.StreamResponse:
        """POST …/deviceauth/usercode: begin a device login."""
        received = await record_request(request, self._world)
        fault = self._world.faults.take("usercode")
        if fault.refusal or fault.status:
            return reply(scripted_refusal(fault, self._world))
        if not isinstance(received.body, dict) or received.body.get("client_id") != CLIENT_ID:
            return reply(oauth_error("invalid_client", "Unknown client.", status=401))
        identity, login = self._world.logins.begin_device(now=self._world.clock())
        return reply(
            {
                "device_auth_id": identity,
                "user_code": login.user_code,
                "interval": self._world.device_interval,
            }
        )

    async def device_token(self, request: web.Request) -> web.StreamResponse:
        """POST …/deviceauth/token: still pending, or the code."""
        received = await record_request(request, self._world)
        fault = self._world.faults.take("device_token")
        if fault.refusal or fault.status:
            return reply(scripted_refusal(fault, self._world))
        asked = received.body if isinstance(received.body, dict) else {}
        outcome = self._world.logins.poll_device(
            str(asked.get("device_auth_id", "")),
            str(asked.get("user_code", "")),
            now=self._world.clock(),
        )
        return reply(outcome)

    async def device_page(self, request: web.Request) -> web.StreamResponse:
        """Where a person types the device code."""
        code = html.escape(request.query.get("user_code", ""))
        return page(DEVICE_PAGE.format(code=code, buttons=login_buttons(self._world.accounts)))

    async def device_decide(self, request: web.Request) -> web.StreamResponse:
        """A person has typed the code and chosen an account."""
        form = await request.post()
        login = self._world.logins.device_of(str(form.get("user_code", "")))
        if login is None:
            return page("<h1>Unknown code</h1>", status=404)
        chosen = str(form.get("login", ""))
        if chosen == "deny":
            login.denied = True
        else:
            login.approved_by = self._world.account(chosen)
        return page("<h1>Done</h1><p>You may close this page.</p>")
