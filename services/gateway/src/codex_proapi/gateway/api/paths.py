"""Maps request paths to routes; the routes of dialects come from `dialects.table`.

Paths match whole and case-sensitively; no normalisation beyond the spellings listed here.
"""

import re
from collections.abc import Mapping
from typing import Final

from codex_proapi.gateway.api.dialects.table import DIALECTS

PREFIXES: Final = ("", "/v1", "/v1/v1")
"""Users paste the Base URL with and without `/v1`; some clients add it themselves."""
POST_ROUTES: Final = tuple(dialect.path for dialect in DIALECTS)
COUNT_ROUTE: Final = "/messages/count_tokens"
"""Where Claude Code asks how many tokens a Messages body has."""
HELLO_ROUTE: Final = "/api/hello"
"""What Claude Code asks first, to see whether anybody is there."""
OWN_USAGE_ROUTE: Final = "/usage"
"""Where scripts read the figures of their key; below `/v1` only: the console has a page of this name."""
RECEIPT_ROUTE: Final = "/requests"
"""Below it stand receipts, below `/v1` only: `/v1/requests/{x-request-id}`."""
RESPONSE_ROUTE: Final = "/responses"
"""Below it stand stored responses: `/responses/{id}` and `/responses/{id}/input_items`."""
BACKEND_PREFIX: Final = "/backend-api/codex"
"""Where Codex clients ask that take the gateway for ChatGPT's own backend."""
MODEL_ROUTE: Final = "/models"
USAGE_ROUTE: Final = "/api/codex/usage"
"""Where the Codex CLI asks for its usage; the next ones are asked below a ChatGPT base address."""
USAGE_NAMES: Final = (USAGE_ROUTE, "/backend-api/wham/usage", "/wham/usage")
FIGURES: Final = "/metrics"
"""For Prometheus inside the network: requests that came through a proxy get a 404."""
PROBE_ROUTES: Final = ("/", "/health", "/readyz", HELLO_ROUTE, FIGURES)
SUPPORTED: Final = (
    f"{', '.join(f'POST /v1{path}' for path in POST_ROUTES)}, GET /v1{MODEL_ROUTE}, "
    f"GET and DELETE /v1{RESPONSE_ROUTE}/{{id}}, GET /v1{OWN_USAGE_ROUTE}, "
    f"GET /v1{RECEIPT_ROUTE}/{{id}}"
)


def spellings(route: str) -> list[str]:
    """Every path that means a route."""
    return [prefix + route + end for prefix in PREFIXES for end in ("", "/")]


PATHS: Final[Mapping[str, str]] = {
    **{
        path: route
        for route in (*POST_ROUTES, COUNT_ROUTE, MODEL_ROUTE)
        for path in spellings(route)
    },
    **{path: OWN_USAGE_ROUTE for path in spellings(OWN_USAGE_ROUTE) if path.startswith("/v1/")},
    **{
        BACKEND_PREFIX + route + end: route
        for route in (RESPONSE_ROUTE, f"{RESPONSE_ROUTE}/compact", MODEL_ROUTE)
        for end in ("", "/")
    },
    **{path: USAGE_ROUTE for name in USAGE_NAMES for path in spellings(name)},
    **{path: route for route in PROBE_ROUTES for path in (route, f"{route.rstrip('/')}/")},
}
"""Path to route. Whole and case-sensitive: nothing is normalised beyond what is listed."""
_STORED: Final = re.compile(
    rf"(?:/v1){{0,2}}(?P<response>{RESPONSE_ROUTE}/[A-Za-z0-9_-]{{1,128}})(?P<items>/input_items)?/?",
    re.ASCII,
)
_RECEIPT: Final = re.compile(
    rf"(?:/v1){{1,2}}(?P<receipt>{RECEIPT_ROUTE}/[A-Za-z0-9_-]{{1,128}})/?", re.ASCII
)
MODEL_PATHS: Final = tuple(f"{prefix}{MODEL_ROUTE}/" for prefix in PREFIXES)


def route_of(path: str) -> str | None:
    """The route a path means, or None; ids of models may hold slashes, those of responses none."""
    route = PATHS.get(path)
    if route is None and path.startswith(MODEL_PATHS):
        model = path[path.index(MODEL_ROUTE) + len(MODEL_ROUTE) :].strip("/")
        return f"{MODEL_ROUTE}/{model}" if model else MODEL_ROUTE
    if route is None and (stored := _STORED.fullmatch(path)):
        return stored["response"] + (stored["items"] or "")
    if route is None and (receipt := _RECEIPT.fullmatch(path)):
        return receipt["receipt"]
    return route


def may_delete(route: str) -> bool:
    """Whether a route takes DELETE: that of a stored response."""
    stored = _STORED.fullmatch(route)
    return stored is not None and not stored["items"] and route not in POST_ROUTES


def owns(path: str) -> bool:
    """Whether a path is the gateway's where it shares a port with the console."""
    return path.startswith("/v1/") or path == "/v1" or route_of(path) not in {None, "/"}
