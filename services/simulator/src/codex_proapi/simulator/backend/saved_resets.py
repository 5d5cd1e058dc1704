"""The simulated saved resets: `GET /wham/rate-limit-reset-credits` and `POST …/consume`, strictly."""

import datetime as dt
import uuid
from typing import Any, Protocol

from aiohttp import web

from codex_proapi.simulator.http.authentication import authenticate, unpack_body
from codex_proapi.simulator.http.connections import reset
from codex_proapi.simulator.http.replies import json_reply
from codex_proapi.simulator.state.accounts import SavedReset, SimulatedAccount
from codex_proapi.simulator.state.faults import Fault
from codex_proapi.simulator.state.received_requests import ReceivedRequest
from codex_proapi.simulator.state.refusals import Refusal, detail
from codex_proapi.simulator.state.world import World

_UUID4 = 4


class Backend(Protocol):
    """What the backend does for every route."""

    def note(self, request: web.Request) -> ReceivedRequest:
        """Add a request to the record."""

    def refuse(
        self, received: ReceivedRequest, refusal: Refusal, account: SimulatedAccount | None = None
    ) -> web.StreamResponse:
        """The response of a refusal."""

    def refusal_for(self, fault: Fault, account: SimulatedAccount, body: Any) -> Refusal | None:
        """The refusal of a fault."""

    async def admit(
        self, request: web.Request, on: str
    ) -> tuple[ReceivedRequest, SimulatedAccount | web.StreamResponse]:
        """The account of a GET request, or the response that refuses it."""


class SavedResetRoutes:
    """The routes of saved resets over one world.

    A reset is redeemed once: the same request id again gives the same answer, another id
    `already_redeemed`. Faults on `resets` (the list) and `redeem` apply; `drop: after` and a fault
    with a status and `words` come after the reset was redeemed.
    """

    def __init__(self, world: World, backend: Backend) -> None:
        self._world = world
        self._backend = backend

    def __repr__(self) -> str:
        return f"<SavedResetRoutes of {len(self._world.accounts)} accounts>"

    def routes(self) -> list[web.RouteDef]:
        """The routes."""
        path = "/backend-api/wham/rate-limit-reset-credits"
        return [
            web.get(path, self.list, allow_head=False),
            web.post(f"{path}/consume", self.consume),
        ]

    async def list(self, request: web.Request) -> web.StreamResponse:
        """GET: every reset of the account, and how many may be redeemed."""
        received, account = await self._backend.admit(request, "resets")
        if isinstance(account, web.StreamResponse):
            return account
        received.end("whole", self._world.clock())
        received.status = 200
        return json_reply(listed(account, self._world.clock()))

    async def consume(self, request: web.Request) -> web.StreamResponse:
        """POST …/consume: redeem one."""
        received = self._backend.note(request)
        account = authenticate(request.headers, self._world)
        if isinstance(account, Refusal):
            return self._backend.refuse(received, account)
        received.account = account.name
        body = unpack_body(await request.read(), request.headers)
        received.body = None if isinstance(body, Refusal) else body
        fault = self._world.faults.take("redeem", account=account.name)
        late = bool(fault.words)
        if fault.drop == "before":
            reset(request)
            return web.Response()
        if not late:
            refusal = self._backend.refusal_for(fault, account, None)
            if refusal is not None:
                return self._backend.refuse(received, refusal, account)
        status, answer = self._redeemed(account, body)
        if fault.drop == "after":
            received.end("dropped", self._world.clock())
            reset(request)
            return web.Response()
        if late:
            refusal = self._backend.refusal_for(fault, account, None)
            if refusal is not None:
                return self._backend.refuse(received, refusal, account)
        return self._reply(received, status, answer)

    def _reply(
        self, received: ReceivedRequest, status: int, answer: dict[str, Any]
    ) -> web.StreamResponse:
        received.status = status
        received.end("whole" if status == 200 else "refused", self._world.clock())  # noqa: PLR2004
        return json_reply(answer, status=status)

    def _redeemed(self, account: SimulatedAccount, body: Any) -> tuple[int, dict[str, Any]]:
        """Redeem, or say why not."""
        known = {"credit_id", "redeem_request_id"}
        if not isinstance(body, dict) or set(body) != known or not _is_uuid4(body):
            refusal = detail("credit_id and redeem_request_id (a UUID) are required", status=422)
            return 422, dict(refusal.body)
        now = self._world.clock()
        found = next((r for r in account.saved_resets if r.id == body["credit_id"]), None)
        if found is None or (not found.redeemed_by and found.expires_at <= now):
            return 404, {"code": "no_credit", "windows_reset": 0}
        if found.redeemed_by:
            same = found.redeemed_by == body["redeem_request_id"]
            code = "reset" if same else "already_redeemed"
            return (200 if same else 409), {"code": code, "windows_reset": int(same)}
        if account.used_percent <= 0:
            return 200, {"code": "nothing_to_reset", "windows_reset": 0}
        found.redeemed_by = body["redeem_request_id"]
        account.used_percent = 0.0
        account.resets_redeemed += 1
        return 200, {"code": "reset", "windows_reset": 1}


def listed(account: SimulatedAccount, now: float) -> dict[str, Any]:
    """The body of the list."""
    return {
        "credits": [
            {
                "id": each.id,
                "reset_type": "codex_rate_limits",
                "status": "redeemed" if each.redeemed_by else _standing(each, now),
                "granted_at": _moment(each.granted_at),
                "expires_at": _moment(each.expires_at),
            }
            for each in account.saved_resets
        ],
        "available_count": available(account, now),
    }


def available(account: SimulatedAccount, now: float) -> int:
    """How many resets may be redeemed."""
    return sum(not r.redeemed_by and r.expires_at > now for r in account.saved_resets)


def _standing(saved: SavedReset, now: float) -> str:
    return "available" if saved.expires_at > now else "expired"


def _moment(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat().replace("+00:00", "Z")


def _is_uuid4(body: dict[str, Any]) -> bool:
    try:
        return uuid.UUID(str(body["redeem_request_id"])).version == _UUID4
    except ValueError:
        return False
