"""The simulated backend over HTTP: /backend-api/codex and /backend-api/wham."""

import asyncio
import hashlib
import itertools
from typing import Any

import msgspec
from aiohttp import web

from codex_proapi.simulator.accounts import SimulatedAccount
from codex_proapi.simulator.auth.admission import authenticate, unpack_body
from codex_proapi.simulator.backend.answer_parts import Answer, Call, Reasoning, Words
from codex_proapi.simulator.backend.answers import answer_to
from codex_proapi.simulator.backend.conversation import read_conversation
from codex_proapi.simulator.backend.delivery import deliver, reset
from codex_proapi.simulator.backend.seals import seal
from codex_proapi.simulator.backend.streams import Envelope, compose
from codex_proapi.simulator.catalogue import describe_model, models_for, parse_version
from codex_proapi.simulator.faults import NO_FAULT, Fault
from codex_proapi.simulator.quota import is_spent, limit_event, limit_headers, usage_report
from codex_proapi.simulator.received_requests import ReceivedRequest
from codex_proapi.simulator.refusals import Circumstance, Refusal, detail, refuse
from codex_proapi.simulator.validation.request_rules import CheckedRequest, check_request
from codex_proapi.simulator.validation.values import Refused
from codex_proapi.simulator.world import World

CODEX = "/backend-api/codex"
_SHED_ORIGINATOR = "codex-tui"
_SHED_MODEL = "gpt-5.6-sol"


class CodexBackend:
    """The routes of the backend over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._numbers = itertools.count(1)

    def __repr__(self) -> str:
        return f"<CodexBackend with {len(self._world.accounts)} accounts>"

    def routes(self) -> list[web.RouteDef]:
        """What it answers."""
        wham = ("/backend-api/wham", "/api/codex")
        return [
            web.post(f"{CODEX}/responses", self.responses),
            web.get(f"{CODEX}/responses", self.upgrade, allow_head=False),
            web.get(f"{CODEX}/models", self.models, allow_head=False),
            web.route("*", f"{CODEX}/responses/{{rest:.*}}", self.lifecycle),
            *(web.get(f"{base}/usage", self.usage, allow_head=False) for base in wham),
            *(web.get(f"{base}/accounts/check", self.check, allow_head=False) for base in wham),
            web.route("*", "/backend-api/{rest:.*}", self.nothing_here),
        ]

    async def responses(self, request: web.Request) -> web.StreamResponse:
        """POST /responses: refuse, fail or answer."""
        arrival = self._note(request)
        raw = await request.read()
        body = unpack_body(raw, request.headers)
        if self._world.keep_bodies and not isinstance(body, Refusal):
            arrival.body = body
        account = authenticate(request.headers, self._world)
        if isinstance(account, Refusal):
            return self._refuse(arrival, account)
        arrival.account = account.name
        fault = self._fault(account, body)
        if fault.delay:
            await self._patiently(fault.delay, arrival)
        if fault.drop == "before":
            return self._drop(request, arrival)
        refusal = self._refusal(fault, account, body)
        if refusal is None and isinstance(body, Refusal):
            refusal = body
        if refusal is not None:
            return self._refuse(arrival, refusal, account)
        try:
            checked = check_request(body, request.headers, account, self._world.leniency)
        except Refused as refused:
            return self._refuse(arrival, refused.refusal, account)
        return await self._answer(
            request, arrival, checked, account, _shed(fault, request, checked)
        )

    async def models(self, request: web.Request) -> web.StreamResponse:
        """GET /models: what this account may use with this version."""
        arrival, account = self._admit(request, "models")
        if isinstance(account, web.StreamResponse):
            return account
        version = request.query.get("client_version", "")
        if parse_version(version) is None:
            return self._refuse(arrival, detail("client_version is required", status=400))
        found = models_for(account.plan, client_version=version, only=account.models)
        body = {"models": [describe_model(model, plan=account.plan) for model in found]}
        arrival.end("whole", self._world.clock())
        arrival.status = 200
        return _json(body, headers={"ETag": self._world.models_etag(account)})

    async def usage(self, request: web.Request) -> web.StreamResponse:
        """GET /wham/usage: the quota."""
        arrival, account = self._admit(request, "usage")
        if isinstance(account, web.StreamResponse):
            return account
        arrival.end("whole", self._world.clock())
        arrival.status = 200
        return _json(usage_report(account, self._world.clock()))

    async def check(self, request: web.Request) -> web.StreamResponse:
        """GET /wham/accounts/check: the workspaces of a login and their routing."""
        arrival, account = self._admit(request, "check")
        if isinstance(account, web.StreamResponse):
            return account
        arrival.end("whole", self._world.clock())
        arrival.status = 200
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
        return _json(
            {
                "accounts": entries,
                "account_ordering": ordering,
                "default_account_id": account.workspace,
            }
        )

    async def upgrade(self, request: web.Request) -> web.StreamResponse:
        """GET /responses: WebSocket is not spoken here."""
        arrival = self._note(request)
        if request.headers.get("upgrade", "").lower() == "websocket":
            return self._refuse(arrival, detail("Upgrade Required", status=426))
        return self._refuse(arrival, detail("Method Not Allowed", status=405))

    async def lifecycle(self, request: web.Request) -> web.StreamResponse:
        """What the public API has below /responses and this backend has not."""
        gone = request.match_info["rest"].strip("/") == "compact"
        refusal = detail("Not Found", status=404) if gone else detail("Forbidden", status=403)
        return self._refuse(self._note(request), refusal)

    async def nothing_here(self, request: web.Request) -> web.StreamResponse:
        """Any other path."""
        return self._refuse(self._note(request), detail("Not Found", status=404))

    def _note(self, request: web.Request) -> ReceivedRequest:
        arrival = ReceivedRequest(
            method=request.method,
            path=request.path,
            headers={name.lower(): value for name, value in request.headers.items()},
            encoding=request.headers.get("content-encoding", ""),
            at=self._world.clock(),
        )
        self._world.note(arrival)
        return arrival

    def _admit(
        self, request: web.Request, on: str
    ) -> tuple[ReceivedRequest, SimulatedAccount | web.StreamResponse]:
        """The account of a simple GET, or the answer it gets instead."""
        arrival = self._note(request)
        account = authenticate(request.headers, self._world)
        if isinstance(account, Refusal):
            return arrival, self._refuse(arrival, account)
        arrival.account = account.name
        fault = self._world.faults.take(on, account=account.name)
        if fault.drop:
            return arrival, self._drop(request, arrival)
        refusal = self._refusal(fault, account, None)
        if refusal is not None:
            return arrival, self._refuse(arrival, refusal, account)
        return arrival, account

    def _fault(self, account: SimulatedAccount, body: Any) -> Fault:
        model = body.get("model") if isinstance(body, dict) else None
        fault = self._world.faults.take("responses", account=account.name, model=model)
        if fault is not NO_FAULT or not isinstance(body, dict):
            return fault
        items = body.get("input")
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            return fault
        return self._world.faults.marked(read_conversation(items).prompt) or fault

    def _refusal(self, fault: Fault, account: SimulatedAccount, body: Any) -> Refusal | None:
        """The HTTP refusal a fault or an empty quota demands."""
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
        if isinstance(body, dict) and is_spent(account):
            return refuse("usage_limit_reached", at)
        return None

    def _refuse(
        self,
        arrival: ReceivedRequest,
        refusal: Refusal,
        account: SimulatedAccount | None = None,
    ) -> web.StreamResponse:
        arrival.status, arrival.code = refusal.status, refusal.code
        arrival.end("refused", self._world.clock())
        headers = {"x-request-id": self._request_id(), **refusal.headers}
        if account is not None and not isinstance(refusal.body, str):
            headers = {**limit_headers(account, self._world.clock()), **headers}
        if isinstance(refusal.body, str):
            return web.Response(body=refusal.body.encode(), status=refusal.status, headers=headers)
        return _json(refusal.body, status=refusal.status, headers=headers)

    def _drop(self, request: web.Request, arrival: ReceivedRequest) -> web.StreamResponse:
        arrival.end("dropped", self._world.clock())
        reset(request)
        return web.Response()

    async def _patiently(self, seconds: float, arrival: ReceivedRequest) -> None:
        """Wait; note when the client leaves meanwhile."""
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            arrival.end("client_left", self._world.clock())
            raise

    def _request_id(self) -> str:
        return f"req_{next(self._numbers):024x}"

    async def _answer(
        self,
        request: web.Request,
        arrival: ReceivedRequest,
        checked: CheckedRequest,
        account: SimulatedAccount,
        fault: Fault,
    ) -> web.StreamResponse:
        now = self._world.clock()
        answer = answer_to(checked)
        account.answers += 1
        account.used_percent = min(100.0, account.used_percent + account.percent_per_request)
        if self._world.pace and not fault.pace:
            fault = msgspec.structs.replace(fault, pace=self._world.pace)
        envelope = self._envelope(checked, account, answer, fault, now)
        if fault.drop == "after":
            return self._drop(request, arrival)
        response = web.StreamResponse(headers=self._headers(account, envelope, fault, now))
        arrival.status, arrival.code = 200, fault.failure
        try:
            await response.prepare(request)
        except (ConnectionError, asyncio.CancelledError):
            arrival.end("client_left", self._world.clock())
            raise
        await deliver(
            compose(answer, envelope, fault),
            response,
            request,
            fault=fault,
            arrival=arrival,
            clock=self._world.clock,
        )
        return response

    def _envelope(
        self,
        checked: CheckedRequest,
        account: SimulatedAccount,
        answer: list[Answer],
        fault: Fault,
        now: float,
    ) -> Envelope:
        number = next(self._numbers)
        token = hashlib.sha256(f"{account.workspace} {number}".encode()).hexdigest()[:40]
        said = sum(
            len(part.text if isinstance(part, Words) else part.arguments)
            for part in answer
            if isinstance(part, Words | Call)
        )
        thought = sum(len("".join(part.summary)) for part in answer if isinstance(part, Reasoning))
        return Envelope(
            response_id=f"resp_{token}",
            created_at=int(now),
            request=checked.body,
            workspace=account.workspace,
            model=fault.answered_model or checked.model.slug,
            usage=self._world.count_tokens(checked.body, account, said=said, thought=thought),
            rate_limits=limit_event(account, now),
        )

    def _headers(
        self, account: SimulatedAccount, envelope: Envelope, fault: Fault, now: float
    ) -> dict[str, str]:
        return {
            "content-type": "text/event-stream; charset=utf-8",
            "cache-control": "no-cache",
            "x-request-id": self._request_id(),
            "openai-model": envelope.model,
            "x-reasoning-included": "true",
            "x-models-etag": self._world.models_etag(account),
            "x-codex-turn-state": seal(account.workspace, envelope.response_id),
            **limit_headers(account, now),
            **fault.headers,
        }


def _shed(fault: Fault, request: web.Request, checked: CheckedRequest) -> Fault:
    """One originator is turned away from one model inside the stream, as seen in 2026-07."""
    shed = request.headers.get("originator") == _SHED_ORIGINATOR
    if fault is NO_FAULT and shed and checked.model.slug == _SHED_MODEL:
        return Fault(failure="server_is_overloaded")
    return fault


def _json(
    body: Any, *, status: int = 200, headers: dict[str, str] | None = None
) -> web.StreamResponse:
    return web.Response(
        body=msgspec.json.encode(body),
        status=status,
        headers={"content-type": "application/json", **(headers or {})},
    )
