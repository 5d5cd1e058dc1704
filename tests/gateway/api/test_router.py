import json
from typing import Any

import pytest
from support.asgi import Received, Sent, a_scope

from codex_proapi.gateway.api.paths import owns, route_of
from codex_proapi.gateway.api.router import Router
from codex_proapi.gateway.errors import OriginRefused
from codex_proapi.gateway.server.asgi import send_response


class Seen:
    """A route that says what reached it."""

    def __init__(self) -> None:
        self.scopes: list[Any] = []
        self.refuses_pages = False

    async def check_page(self, headers: Any) -> None:
        if self.refuses_pages:
            raise OriginRefused("no")

    async def hot(self, scope: Any, receive: Any, send: Any, request_id: Any) -> None:
        self.scopes.append(scope)
        await send_response(send, 200, b'"hot"', request_id=request_id)

    async def rest(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        start = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]}
        await send(start)
        await send({"type": "http.response.body", "body": b'"rest"', "more_body": False})


def a_front(seen: Any) -> Any:
    hot = {"/chat/completions": seen.hot, "/responses": seen.hot, "/responses/compact": seen.hot}
    return Router(endpoints=hot, rest=seen.rest, check_page=seen.check_page)


async def asked(path: str, method: Any = "GET", headers: Any = (), seen: Any = None) -> Any:
    sent = Sent()
    await a_front(seen or Seen())(a_scope(path, method, headers), Received(b""), sent)
    return sent


@pytest.mark.parametrize("prefix", ["", "/v1", "/v1/v1"])
@pytest.mark.parametrize("route", ["/chat/completions", "/responses", "/responses/compact"])
@pytest.mark.parametrize("end", ["", "/"])
async def test_hot_routes_answer_under_every_spelling_of_the_base(
    prefix: Any, route: Any, end: Any
) -> None:
    sent = await asked(prefix + route + end, "POST")

    assert (sent.status, sent.body) == (200, b'"hot"')


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v1/models", "/models"),
        ("/models/", "/models"),
        ("/v1/models/gpt-5.5", "/models/gpt-5.5"),
        ("/v1/models/openai/gpt-5.5/", "/models/openai/gpt-5.5"),
        ("/v1/v1/models/gpt-5.5", "/models/gpt-5.5"),
        ("/models//", "/models"),
        ("/api/codex/usage", "/api/codex/usage"),
        ("/v1/api/codex/usage/", "/api/codex/usage"),
        ("/backend-api/wham/usage", "/api/codex/usage"),
        ("/wham/usage/", "/api/codex/usage"),
        ("/health", "/health"),
        ("/readyz/", "/readyz"),
        ("/metrics", "/metrics"),
        ("/", "/"),
    ],
)
async def test_other_routes_reach_litestar_under_their_own_name(path: str, route: Any) -> None:
    seen = Seen()

    sent = await asked(path, seen=seen)

    assert sent.status == 200
    assert (seen.scopes[0]["path"], seen.scopes[0]["raw_path"]) == (route, route.encode())
    assert sent.headers["a"] == "b"
    assert sent.headers["x-request-id"].startswith("req_")
    assert sent.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    "path",
    [
        *("/V1/models", "/v1/Models", "//v1/models", "/v1//models", "/v1/models/../health"),
        *("/v1/health", "/v2/models", "/v1/completionsx", "/v1/nowhere/completions"),
        *("/v1", "/v1/", "/chat", "/v1/v1/v1/models", "/%00"),
        *("/wham", "/backend-api", "/wham/usage/x", "/api/codex", "/WHAM/usage", "/wham//usage"),
    ],
)
async def test_other_paths_are_unknown_and_the_answer_names_those_there_are(path: str) -> None:
    if "/models/.." in path:
        # A path is never normalised: this asks for a model of a strange name.
        assert route_of(path) == "/models/../health"
        return

    sent = await asked(path, "POST")

    assert sent.status == 404
    assert sent.error["code"] == "unknown_url"
    assert "POST /v1/chat/completions" in sent.error["message"]


@pytest.mark.parametrize(
    ("path", "method", "headers", "status", "type_"),
    [
        ("/v1/messages", "GET", [], 405, "invalid_request_error"),
        ("/v1/messages/batches", "POST", [], 404, "not_found_error"),
        ("/v1/nowhere", "GET", [(b"anthropic-version", b"2023-06-01")], 404, "not_found_error"),
    ],
)
async def test_clients_of_anthropics_api_read_errors_of_theirs(
    path: str, method: Any, headers: Any, status: int, type_: str
) -> None:
    sent = await asked(path, method, headers)

    assert sent.status == status
    assert json.loads(sent.body)["type"] == "error"
    assert sent.error["type"] == type_


@pytest.mark.parametrize(
    ("path", "method", "told"),
    [
        ("/v1/v1/embeddings", "POST", "another provider"),
        ("/v1/images/variations", "POST", "POST /v1/images/edits"),
        ("/v1/chat/completions/chatcmpl-1", "GET", "are not stored"),
        ("/api/tags", "GET", "Ollama"),
        ("/v1beta/models/gemini-3-pro:generateContent", "POST", "Gemini"),
        ("/v1/dashboard/billing/usage", "GET", "/v1/usage"),
        ("/v1/files/file_1/content", "GET", "file_data"),
        ("/v1/responses/resp_1/cancel", "POST", "previous_response_id"),
        ("/v1/responses/resp:1", "GET", "previous_response_id"),
        ("/v1/messages/batches/b_1/results", "GET", "POST /v1/messages"),
    ],
)
async def test_known_paths_that_are_not_served_name_the_way_there_is(
    path: str, method: Any, told: str
) -> None:
    sent = await asked(path, method)

    assert sent.status == 404
    assert told in sent.error["message"]
    assert sent.error.get("code", "unsupported_endpoint") == "unsupported_endpoint"


@pytest.mark.parametrize("path", ["/metrics", "/metrics/"])
@pytest.mark.parametrize("mark", [b"x-forwarded-for", b"forwarded", b"x-real-ip"])
async def test_figures_are_for_the_inside_only(path: str, mark: bytes) -> None:
    sent = await asked(path, headers=[(mark, b"203.0.113.9")])

    assert (sent.status, sent.error["code"]) == (404, "unknown_url")


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/v1/chat/completions", "GET"),
        ("/v1/responses", "DELETE"),
        ("/v1/responses", "GET"),
        ("/v1/responses/resp_1", "POST"),
        ("/v1/responses/resp_1/input_items", "DELETE"),
        ("/v1/responses/compact", "DELETE"),
        ("/v1/models/gpt-5.5", "DELETE"),
        ("/v1/models", "POST"),
        ("/wham/usage", "POST"),
        ("/health", "PUT"),
    ],
)
async def test_a_wrong_method_is_told_so(path: str, method: Any) -> None:
    sent = await asked(path, method)

    assert (sent.status, sent.error["code"]) == (405, "method_not_allowed")
    allowed = sent.headers["allow"].split(", ")
    assert method not in allowed
    assert "OPTIONS" in allowed


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/messages", "POST, OPTIONS"),
        ("/v1/models", "GET, HEAD, OPTIONS"),
        ("/v1/responses/resp_1", "GET, HEAD, DELETE, OPTIONS"),
    ],
)
async def test_the_methods_of_a_path_are_in_allow(path: str, allowed: str) -> None:
    sent = await asked(path, "PUT")

    assert sent.headers["allow"] == allowed


async def test_a_head_is_a_get_for_litestar() -> None:
    seen = Seen()

    await asked("/", "HEAD", seen=seen)

    assert seen.scopes[0]["method"] == "GET"


async def test_a_websocket_upgrade_is_refused_with_426() -> None:
    sent = await asked("/v1/responses", headers=[(b"upgrade", b"WebSocket")])

    assert (sent.status, sent.error["code"]) == (426, "websocket_not_supported")


async def test_a_preflight_needs_no_key_and_allows_what_is_asked_for() -> None:
    headers = [(b"access-control-request-headers", b"authorization, x-stainless-os")]

    sent = await asked("/v1/chat/completions", "OPTIONS", headers)

    assert sent.status == 204
    assert sent.headers["access-control-allow-origin"] == "*"
    assert sent.headers["access-control-allow-methods"] == "GET, POST, DELETE, OPTIONS"
    assert sent.headers["access-control-allow-headers"] == "authorization, x-stainless-os"
    assert sent.headers["access-control-max-age"] == "86400"


@pytest.mark.parametrize("headers", [[], [(b"access-control-request-headers", b"a\x00b<>")]])
async def test_a_preflight_that_asks_for_nothing_sound_gets_the_usual_headers(headers: Any) -> None:
    sent = await asked("/anything", "OPTIONS", headers)

    assert "x-api-key" in sent.headers["access-control-allow-headers"]


async def test_the_lifespan_is_litestars_and_nothing_but_http_is_served() -> None:
    seen = Seen()
    front = a_front(seen)
    await front({"type": "lifespan"}, Received(), Sent())

    assert seen.scopes == [{"type": "lifespan"}]
    with pytest.raises(RuntimeError):
        await front({"type": "websocket"}, Received(), Sent())


@pytest.mark.parametrize(
    ("path", "ours"),
    [
        *((path, True) for path in ("/v1/models", "/models", "/v1", "/v1/anything", "/responses")),
        *((path, True) for path in ("/chat/completions", "/models/x", "/health", "/metrics")),
        *((path, True) for path in ("/api/codex/usage", "/backend-api/wham/usage", "/wham/usage")),
        *((path, False) for path in ("/api/usage", "/api/codex", "/wham", "/backend-api")),
        *((path, False) for path in ("/", "/accounts", "/api/accounts", "/auth/login", "/v11")),
    ],
)
def test_on_a_shared_port_the_gateway_owns_its_paths_only(path: str, ours: Any) -> None:
    assert owns(path) is ours


@pytest.mark.parametrize(
    ("path", "method"),
    [("/v1/responses", "OPTIONS"), ("/metrics", "GET"), ("/health", "GET"), ("/", "GET")],
)
async def test_a_page_that_may_not_use_the_gateway_is_refused_on_every_route(
    path: str, method: Any
) -> None:
    seen = Seen()
    seen.refuses_pages = True

    refused = await asked(path, method, [(b"origin", b"https://evil.example")], seen)
    served = await asked(path, method, seen=seen)

    assert (refused.status, refused.error["code"]) == (403, "origin_not_allowed")
    assert served.status in {200, 204}
