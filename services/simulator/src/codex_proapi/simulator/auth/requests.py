"""Records requests to the authorization server; builds the responses of its endpoints."""

import html
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from codex_proapi.simulator.http.replies import json_reply, refusal_reply
from codex_proapi.simulator.state.accounts import SimulatedAccount
from codex_proapi.simulator.state.faults import Fault
from codex_proapi.simulator.state.received_requests import ReceivedRequest
from codex_proapi.simulator.state.refusals import Circumstance, Refusal, refuse
from codex_proapi.simulator.state.world import World


async def record_request(request: web.Request, world: World) -> ReceivedRequest:
    """Add a request with its decoded body to the record."""
    raw = await request.read()
    received = ReceivedRequest(
        method=request.method,
        path=request.path,
        headers={name.lower(): value for name, value in request.headers.items()},
        at=world.clock(),
    )
    if raw:
        received.body = _form_of(raw, request)
    world.note(received)
    return received


def scripted_refusal(
    fault: Fault, world: World, account: SimulatedAccount | None = None
) -> Refusal:
    """The refusal of a fault; None for none."""
    at = Circumstance(
        now=world.clock(), plan=account.plan if account else "", retry_after=fault.retry_after
    )
    if fault.refusal:
        return refuse(fault.refusal, at)
    body = {"error": "scripted"} if fault.body is None else fault.body
    return Refusal(status=fault.status, body=body, headers=fault.headers)


def reply(outcome: dict[str, Any] | Refusal) -> web.StreamResponse:
    """A refusal, or a body with status 200."""
    return refusal_reply(outcome) if isinstance(outcome, Refusal) else json_reply(outcome)


def is_form(request: web.Request) -> bool:
    """Whether the body is a URL-encoded form."""
    return request.content_type == "application/x-www-form-urlencoded"


def login_buttons(accounts: Sequence[SimulatedAccount]) -> str:
    """One button for each account, and one that refuses."""
    buttons = "".join(
        f'<button name="login" value="{html.escape(account.name)}">'
        f"{html.escape(account.email)} ({html.escape(account.plan)})</button> "
        for account in accounts
    )
    return buttons + '<button name="login" value="deny">Deny</button>'


def _form_of(raw: bytes, request: web.Request) -> Any:
    if is_form(request):
        return dict(parse_qsl(raw.decode(), keep_blank_values=True))
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return None
