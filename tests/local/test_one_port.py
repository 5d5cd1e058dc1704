import pathlib
from typing import Any

from cryptography.fernet import Fernet

from codex_proapi.commons.http.figures import FiguresAccess
from codex_proapi.console.app import build
from codex_proapi.console.auth.loopback_peers import LoopbackPeers
from codex_proapi.gateway.api.paths import owns
from codex_proapi.local.environment import Start
from codex_proapi.local.one_port import OnePort, merge_expositions

KEY = Fernet.generate_key().decode()
GATEWAY_ALONE = b"# HELP a A\n# TYPE a counter\na 1\n"


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
    port: OnePort,
    path: str,
    method: str = "GET",
    *,
    mark: bytes = b"a",
    value: bytes = b"b",
    **ends: Any,
) -> tuple[int, bytes]:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", b"x"), (mark, value)]
    scope = {"type": "http", "method": method, "path": path, "headers": headers, **ends}
    await port(scope, receive, send)
    return sent[0]["status"], sent[1]["body"]


def both(token: str = "", peers: LoopbackPeers | None = None, **console: Any) -> OnePort:
    return OnePort(
        gateway=app("gateway", metrics=GATEWAY_ALONE),
        console=app("console", **console),
        owns=lambda path: path.startswith(("/v1", "/metrics")),
        figures=FiguresAccess(token),
        peers=peers or LoopbackPeers(),
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
    assert await get(both(), "/metrics", mark=b"x-forwarded-for") == (200, GATEWAY_ALONE)


async def test_another_user_of_the_machine_needs_the_token(tmp_path: pathlib.Path) -> None:
    table = tmp_path / "tcp"
    table.write_text(
        "sl local_address rem_address st tx_queue tr tm->when retrnsmt uid timeout inode\n"
        "0: 0100007F:C001 0100007F:05AF 01 0:0 00:0 0 4711 0 1\n"
    )
    peers = LoopbackPeers(tables=[table], own=frozenset({1000}))
    ends: dict[str, Any] = {"client": ("127.0.0.1", 0xC001), "server": ("127.0.0.1", 1455)}

    assert await get(both("", peers, metrics=b"b 2\n"), "/metrics", **ends) == (200, GATEWAY_ALONE)
    with_token: dict[str, Any] = {"mark": b"authorization", "value": b"Bearer s3cret", **ends}
    told = await get(both("s3cret", peers, metrics=b"b 2\n"), "/metrics", **with_token)
    assert told == (200, GATEWAY_ALONE + b"b 2\n")


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
