from typing import Any

from cryptography.fernet import Fernet

from codex_proapi.console.app import build
from codex_proapi.gateway.api.paths import owns
from codex_proapi.local.environment import Start
from codex_proapi.local.one_port import OnePort, merge_expositions

KEY = Fernet.generate_key().decode()


def app(name: str, *, ready: int = 200, metrics: bytes = b"") -> Any:
    """An application that says its name, or how it is."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        status, body = 200, f"{name} {scope['method']} {scope['path']}".encode()
        if scope["path"] == "/readyz":
            status = ready
        if scope["path"] == "/metrics":
            body = metrics
        await receive()
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    return answer


async def get(
    port: OnePort, path: str, method: str = "GET", *, mark: bytes = b"a"
) -> tuple[int, bytes]:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", b"x"), (mark, b"b")]
    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    await port(scope, receive, send)
    return sent[0]["status"], sent[1]["body"]


def both(**console: Any) -> OnePort:
    return OnePort(
        gateway=app("gateway", metrics=b"# HELP a A\n# TYPE a counter\na 1\n"),
        console=app("console", **console),
        owns=lambda path: path.startswith("/v1"),
    )


async def test_each_path_goes_to_whose_it_is() -> None:
    assert await get(both(), "/v1/models") == (200, b"gateway GET /v1/models")
    assert await get(both(), "/") == (200, b"console GET /")
    assert await get(both(), "/health", "POST") == (200, b"console POST /health")


async def test_health_is_that_of_the_process() -> None:
    assert await get(both(), "/health/") == (200, b'{"status":"ok","service":"standalone"}')


async def test_ready_is_when_both_are() -> None:
    assert await get(both(), "/readyz") == (
        200,
        b'{"status":"ok","service":"standalone","gateway":true,"console":true}',
    )
    assert await get(both(ready=503), "/readyz") == (
        503,
        b'{"status":"unready","service":"standalone","gateway":true,"console":false}',
    )


async def test_who_comes_through_a_proxy_is_answered_by_the_gateway_alone() -> None:
    port = OnePort(gateway=app("gateway", metrics=b"no"), console=app("console"), owns=owns)

    assert await get(port, "/metrics", mark=b"x-forwarded-for") == (200, b"no")


async def test_metrics_are_those_of_both() -> None:
    port = both(metrics=b"# HELP b B\n# TYPE b gauge\nb 2\n# HELP a A\n# TYPE a counter\na 9\n")

    assert await get(port, "/metrics") == (
        200,
        b"# HELP a A\n# TYPE a counter\na 1\n# HELP b B\n# TYPE b gauge\nb 2\n",
    )


def test_a_family_with_many_series_stays_together() -> None:
    one = b'# HELP a A\n# TYPE a counter\na{x="1"} 1\na{x="2"} 2\n# EOF\n'
    two = b"# HELP a A\n# TYPE a counter\na 9\n# HELP c C\nc 3\n"

    assert merge_expositions([one, two]) == (
        b'# HELP a A\n# TYPE a counter\na{x="1"} 1\na{x="2"} 2\n# HELP c C\nc 3\n'
    )


async def test_no_page_of_the_console_is_hidden_by_the_gateway(
    environ: dict[str, str], redis_url: str
) -> None:
    console = build(Start({**environ, "REDIS_URL": redis_url, "ENCRYPTION_KEYS": KEY}).console)
    paths = {route.path for route in console.routes.routes}
    await console.close()

    assert "/api/accounts" in paths
    assert {path for path in paths if owns(path)} == {"/health", "/readyz", "/metrics"}
