"""The simulated backend over HTTP: /backend-api/codex and /backend-api/wham."""

import asyncio
import hashlib
import itertools
from typing import Any

import msgspec
from aiohttp import web

from codex_proapi.simulator.answers.conversation import read_conversation
from codex_proapi.simulator.answers.parts import Answer, Call, Message, Reasoning
from codex_proapi.simulator.answers.simulated_model import answer_to
from codex_proapi.simulator.backend.delivery import deliver
from codex_proapi.simulator.backend.events import Envelope
from codex_proapi.simulator.backend.saved_resets import SavedResetRoutes
from codex_proapi.simulator.backend.sockets import SocketBackend
from codex_proapi.simulator.backend.streams import compose
from codex_proapi.simulator.backend.unary_routes import answer_unary
from codex_proapi.simulator.http.authentication import authenticate, unpack_body
from codex_proapi.simulator.http.connections import reset
from codex_proapi.simulator.http.replies import json_reply, refusal_reply
from codex_proapi.simulator.state.accounts import SimulatedAccount
from codex_proapi.simulator.state.catalogue import describe_model, models_for, parse_version
from codex_proapi.simulator.state.faults import NO_FAULT, Fault
from codex_proapi.simulator.state.quota import is_spent, limit_event, limit_headers, usage_report
from codex_proapi.simulator.state.received_requests import ReceivedRequest
from codex_proapi.simulator.state.refusals import Circumstance, Refusal, detail, refuse
from codex_proapi.simulator.state.seals import seal
from codex_proapi.simulator.state.world import World
from codex_proapi.simulator.validation.request_rules import CheckedRequest, check_request
from codex_proapi.simulator.validation.values import Refused

CODEX = "/backend-api/codex"
_SHED_ORIGINATOR = "codex-tui"
RESERVE = "gpt-reserve"
"""What requests name in place of the reserve's model."""
_SHED_MODEL = "gpt-5.6-sol"


class CodexBackend:
    """The routes of the backend over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._sockets = SocketBackend(world, self)
        self._saved_resets = SavedResetRoutes(world, self)
        self._numbers = itertools.count(1)

    def __repr__(self) -> str:
        return f"<CodexBackend with {len(self._world.accounts)} accounts>"

    def routes(self) -> list[web.RouteDef]:
        """The routes of the backend."""
        wham = ("/backend-api/wham", "/api/codex")
        return [
            web.post(f"{CODEX}/responses", self.responses),
            web.get(f"{CODEX}/responses", self._sockets.upgrade, allow_head=False),
            web.get(f"{CODEX}/models", self.models, allow_head=False),
            web.route("*", f"{CODEX}/responses/{{rest:.*}}", self.lifecycle),
            web.post(f"{CODEX}/images/{{what:generations|edits}}", self.images),
            web.post(f"{CODEX}/alpha/search", self.search),
            *(web.get(f"{base}/usage", self.usage, allow_head=False) for base in wham),
            *(web.get(f"{base}/accounts/check", self.check, allow_head=False) for base in wham),
            *self._saved_resets.routes(),
            web.route("*", "/backend-api/{rest:.*}", self.nothing_here),
        ]

    async def responses(self, request: web.Request) -> web.StreamResponse:
        """POST /responses: refuse, fail or answer."""
        received = self.note(request)
        if await self._upload_fails(request, received):
            return self._drop(request, received)
        raw = await request.read()
        body = unpack_body(raw, request.headers)
        if self._world.keep_bodies and not isinstance(body, Refusal):
            received.body = body
        account = authenticate(request.headers, self._world)
        if isinstance(account, Refusal):
            return self.refuse(received, account)
        received.account = account.name
        fault = self.fault_of(account, body)
        if fault.delay:
            await self._patiently(fault.delay, received)
        if fault.drop == "before":
            return self._drop(request, received)
        refusal = self.refusal_for(fault, account, body)
        if refusal is None and isinstance(body, Refusal):
            refusal = body
        if refusal is not None:
            return self.refuse(received, refusal, account)
        try:
            checked = check_request(body, request.headers, account, self._world.leniency)
        except Refused as refused:
            return self.refuse(received, refused.refusal, account)
        return await self._answer(
            request, received, checked, account, _shed(fault, request, checked)
        )

    async def models(self, request: web.Request) -> web.StreamResponse:
        """GET /models: what this account may use with this version."""
        received, account = await self.admit(request, "models")
        if isinstance(account, web.StreamResponse):
            return account
        version = request.query.get("client_version", "")
        if parse_version(version) is None:
            return self.refuse(received, detail("client_version is required", status=400))
        found = models_for(account.plan, client_version=version, only=account.models)
        body = {"models": [describe_model(model, plan=account.plan) for model in found]}
        received.end("whole", self._world.clock())
        received.status = 200
        return json_reply(body, headers={"ETag": self._world.models_etag(account)})

    async def images(self, request: web.Request) -> web.StreamResponse:
        """POST /images/generations and /images/edits."""
        return await self._unary(request, "images", f"images/{request.match_info['what']}")

    async def search(self, request: web.Request) -> web.StreamResponse:
        """POST /alpha/search."""
        return await self._unary(request, "search", "alpha/search")

    async def _unary(self, request: web.Request, on: str, route: str) -> web.StreamResponse:
        """Refuse, fail or answer with one JSON body."""
        received, account = await self.admit(request, on)
        if isinstance(account, web.StreamResponse):
            return account
        body = unpack_body(await request.read(), request.headers)
        if isinstance(body, Refusal):
            return self.refuse(received, body, account)
        if self._world.keep_bodies:
            received.body = body
        now = self._world.clock()
        answer = answer_unary(route, body, now=int(now))
        if isinstance(answer, Refusal):
            return self.refuse(received, answer, account)
        account.answers += 1
        received.end("whole", now)
        received.status = 200
        headers = {**limit_headers(account, now), "x-request-id": self._request_id()}
        return json_reply(answer, headers=headers)

    async def usage(self, request: web.Request) -> web.StreamResponse:
        """GET /wham/usage: the quota."""
        received, account = await self.admit(request, "usage")
        if isinstance(account, web.StreamResponse):
            return account
        reserve = request.headers.get("x-openai-codex-luna-reserve", "")
        if reserve not in ("", "1") or (reserve and account.fedramp):
            return self.refuse(received, detail("Forbidden", status=403))
        received.end("whole", self._world.clock())
        received.status = 200
        return json_reply(usage_report(account, self._world.clock(), reserve=bool(reserve)))

    async def check(self, request: web.Request) -> web.StreamResponse:
        """GET /wham/accounts/check: the workspaces of a login and their routing."""
        received, account = await self.admit(request, "check")
        if isinstance(account, web.StreamResponse):
            return account
        received.end("whole", self._world.clock())
        received.status = 200
        mine = [a for a in self._world.accounts if a.user_id == account.user_id]
        entries = [
            {
                "id": one.workspace,
                "plan_type": one.plan,
                "workspace_backend_origin": "NO_CONSTRAINT",
                "account_routing_override": "NO_CONSTRAINT",
                "name": None if one.structure == "personal" else "Example Works",
                "structure": one.structure,
                "profile_picture_url": None,
            }
            for one in mine
        ]
        ordering = [one.workspace for one in mine]
        return json_reply(
            {
                "accounts": entries,
                "account_ordering": ordering,
                "default_account_id": account.workspace,
            }
        )

    async def lifecycle(self, request: web.Request) -> web.StreamResponse:
        """Paths of the public API below /responses that this backend does not have."""
        gone = request.match_info["rest"].strip("/") == "compact"
        refusal = detail("Not Found", status=404) if gone else detail("Forbidden", status=403)
        return self.refuse(self.note(request), refusal)

    async def nothing_here(self, request: web.Request) -> web.StreamResponse:
        """Any other path."""
        return self.refuse(self.note(request), detail("Not Found", status=404))

    def note(self, request: web.Request) -> ReceivedRequest:
        """Add a request to the record."""
        received = ReceivedRequest(
            method=request.method,
            path=request.path,
            headers={name.lower(): value for name, value in request.headers.items()},
            encoding=request.headers.get("content-encoding", ""),
            at=self._world.clock(),
            connection=id(request.protocol),
        )
        self._world.note(received)
        return received

    async def admit(
        self, request: web.Request, on: str
    ) -> tuple[ReceivedRequest, SimulatedAccount | web.StreamResponse]:
        """The account of a GET request, or the response that refuses it."""
        received = self.note(request)
        account = authenticate(request.headers, self._world)
        if isinstance(account, Refusal):
            return received, self.refuse(received, account)
        received.account = account.name
        fault = self._world.faults.take(on, account=account.name)
        if fault.delay:
            await self._patiently(fault.delay, received)
        if fault.drop:
            return received, self._drop(request, received)
        refusal = self.refusal_for(fault, account, None)
        if refusal is not None:
            return received, self.refuse(received, refusal, account)
        return received, account

    def fault_of(self, account: SimulatedAccount, body: Any) -> Fault:
        """The fault of the next answer."""
        model = body.get("model") if isinstance(body, dict) else None
        fault = self._world.faults.take("responses", account=account.name, model=model)
        if fault is not NO_FAULT or not isinstance(body, dict):
            return fault
        items = body.get("input")
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            return fault
        return self._world.faults.marked(read_conversation(items).prompt) or fault

    def refusal_for(self, fault: Fault, account: SimulatedAccount, body: Any) -> Refusal | None:
        """The HTTP refusal for a fault or a spent quota; None for none."""
        model = str(body.get("model")) if isinstance(body, dict) else ""
        at = Circumstance(
            now=self._world.clock(),
            plan=account.plan,
            model=model,
            resets_in=fault.resets_in,
            retry_after=fault.retry_after,
        )
        if fault.refusal:
            refusal = refuse(fault.refusal, at)
            return Refusal(
                status=fault.status or refusal.status,
                body=refusal.body if fault.body is None else fault.body,
                headers={**refusal.headers, **fault.headers},
            )
        if fault.status:
            body = {"detail": "scripted"} if fault.body is None else fault.body
            return Refusal(status=fault.status, body=body, headers=fault.headers)
        if isinstance(body, dict) and self._is_shut(account, model):
            return refuse("usage_limit_reached", at)
        return None

    def _is_shut(self, account: SimulatedAccount, model: str) -> bool:
        """Whether the limit that counts for a model is spent; a reserve is open while the others are shut."""
        if model != RESERVE:
            return is_spent(account)
        used = account.reserve_used
        return used is None or used >= 100 or not is_spent(account)  # noqa: PLR2004 - percent

    def refuse(
        self,
        received: ReceivedRequest,
        refusal: Refusal,
        account: SimulatedAccount | None = None,
    ) -> web.StreamResponse:
        """The response of a refusal, which is recorded."""
        received.status, received.code = refusal.status, refusal.code
        received.end("refused", self._world.clock())
        headers = {"x-request-id": self._request_id()}
        if account is not None and not isinstance(refusal.body, str):
            headers = {**limit_headers(account, self._world.clock()), **headers}
        return refusal_reply(refusal, headers)

    async def _upload_fails(self, request: web.Request, received: ReceivedRequest) -> bool:
        """Apply a fault on `upload`: read the body slowly (`delay`) or not at all (`drop`)."""
        account = authenticate(request.headers, self._world)
        name = None if isinstance(account, Refusal) else account.name
        fault = self._world.faults.take("upload", account=name)
        if fault.delay:
            await self._patiently(fault.delay, received)
        return bool(fault.drop)

    def _drop(self, request: web.Request, received: ReceivedRequest) -> web.StreamResponse:
        received.end("dropped", self._world.clock())
        reset(request)
        return web.Response()

    async def _patiently(self, seconds: float, received: ReceivedRequest) -> None:
        """Wait; record if the client disconnects meanwhile."""
        try:
            await self._world.wait(seconds)
        except asyncio.CancelledError:
            received.end("client_left", self._world.clock())
            raise

    def _request_id(self) -> str:
        return f"req_{next(self._numbers):024x}"

    async def _answer(
        self,
        request: web.Request,
        received: ReceivedRequest,
        checked: CheckedRequest,
        account: SimulatedAccount,
        fault: Fault,
    ) -> web.StreamResponse:
        now = self._world.clock()
        answer = answer_to(checked, reasons=fault.reasons)
        account.answers += 1
        account.used_percent = min(100.0, account.used_percent + account.percent_per_request)
        if self._world.pace and not fault.pace:
            fault = msgspec.structs.replace(fault, pace=self._world.pace)
        envelope = self.envelope(checked, account, answer, fault, now)
        if fault.drop == "after":
            return self._drop(request, received)
        if fault.head_waits:
            await self._patiently(fault.silence or fault.pace, received)
            fault = msgspec.structs.replace(fault, silence=0.0)
        response = web.StreamResponse(headers=self.headers(account, envelope, fault, now))
        received.status, received.code = 200, fault.failure
        try:
            await response.prepare(request)
        except (ConnectionError, asyncio.CancelledError):
            received.end("client_left", self._world.clock())
            raise
        await deliver(
            compose(answer, envelope, fault),
            response,
            request,
            fault=fault,
            received=received,
            world=self._world,
        )
        return response

    def envelope(
        self,
        checked: CheckedRequest,
        account: SimulatedAccount,
        answer: list[Answer],
        fault: Fault,
        now: float,
    ) -> Envelope:
        """What all events of an answer share."""
        number = next(self._numbers)
        token = hashlib.sha256(f"{account.workspace} {number}".encode()).hexdigest()[:40]
        said = sum(
            len(part.text if isinstance(part, Message) else part.arguments)
            for part in answer
            if isinstance(part, Message | Call)
        )
        thought = sum(len("".join(part.summary)) for part in answer if isinstance(part, Reasoning))
        return Envelope(
            response_id=f"resp_{token}",
            created_at=int(now),
            request=checked.body,
            workspace=account.workspace,
            model=fault.answered_model or str(checked.body["model"]),
            usage=self._world.count_tokens(checked.body, account, said=said, thought=thought),
            rate_limits=limit_event(account, now),
        )

    def headers(
        self, account: SimulatedAccount, envelope: Envelope | None, fault: Fault, now: float
    ) -> dict[str, str]:
        """The headers of an answer; without an envelope those of an upgrade."""
        if envelope is None:
            return {
                "x-request-id": self._request_id(),
                "x-codex-turn-state": seal(account.workspace, "upgrade"),
                "x-models-etag": self._world.models_etag(account),
                "x-reasoning-included": "true",
                **fault.headers,
            }
        return {
            "content-type": "text/event-stream; charset=utf-8",
            "cache-control": "no-cache",
            "x-request-id": self._request_id(),
            "openai-model": envelope.model,
            "x-reasoning-included": "true",
            "x-models-etag": self._world.models_etag(account),
            "x-codex-turn-state": seal(account.workspace, envelope.response_id),
            **(limit_headers(account, now) if fault.quota in ("both", "headers") else {}),
            **fault.headers,
        }


def _shed(fault: Fault, request: web.Request, checked: CheckedRequest) -> Fault:
    """Refuse one originator for one model inside the stream, as seen in 2026-07."""
    shed = request.headers.get("originator") == _SHED_ORIGINATOR
    if fault is NO_FAULT and shed and checked.model.slug == _SHED_MODEL:
        return Fault(failure="server_is_overloaded")
    return fault
