"""Route that tests the way from this console to OpenAI."""

import msgspec
from litestar import post

from codex_proapi.console.connection.route_test import RouteTest
from codex_proapi.console.connection.steps import RouteReport
from codex_proapi.console.server.dependencies import Injected


class RouteTestBody(msgspec.Struct, frozen=True, kw_only=True):
    """The way to each server, step by step."""

    passed: bool
    servers: list[RouteReport]


@post("/api/connection/test", tags=["settings"], status_code=200)
async def test_connection(route_test: Injected[RouteTest]) -> RouteTestBody:
    """Test the way to the backend and to the authorization server: DNS, TCP, proxy, TLS, HTTP.

    Each step has its time; the first that fails has a code and ends the test of its server. Nothing is
    spent and no account is touched.
    """
    servers = await route_test.run()
    return RouteTestBody(passed=all(each.passed for each in servers), servers=servers)
