"""The HTTP form of refusals and JSON bodies."""

from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from codex_proapi.simulator.state.refusals import Refusal


def json_reply(
    body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.StreamResponse:
    """A JSON response."""
    return web.Response(
        body=msgspec.json.encode(body),
        status=status,
        headers={"content-type": "application/json", **(headers or {})},
    )


def refusal_reply(refusal: Refusal, headers: Mapping[str, str] | None = None) -> web.StreamResponse:
    """The response of a refusal: a string body is sent as it is, anything else as JSON."""
    merged = {**(headers or {}), **refusal.headers}
    if isinstance(refusal.body, str):
        return web.Response(body=refusal.body.encode(), status=refusal.status, headers=merged)
    return json_reply(refusal.body, status=refusal.status, headers=merged)
