"""The way to OpenAI's servers, tested step by step over real sockets and real proxies."""

import asyncio
import contextlib
import pathlib
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.certificates import Authority
from support.consoles import console_settings, running, script
from support.free_ports import free_port
from support.proxies import PAIR, proxy_server

from codex_proapi.console.connection import route_test
from codex_proapi.console.connection.route_test import RouteTest
from codex_proapi.console.connection.steps import STEPS, RouteReport
from codex_proapi.console.settings import ConsoleSettings
from codex_proapi.console.texts.phrases import CURES, FAULTS
from codex_proapi.simulator import Simulator

OK = b"HTTP/1.1 401 No\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
PAGE = b"HTTP/1.1 403 No\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\npage"
BROKEN = b"HTTP/1.1 502 No\r\ncontent-length: 0\r\n\r\n"
NO_HTTP = b"220 mail.example ESMTP\r\n\r\n"
LATE = b"HTTP/1.1 401 No\r\ndate: Mon, 01 Jan 2024 00:00:00 GMT\r\ncontent-length: 0\r\n\r\n"


@contextlib.asynccontextmanager
async def server(answer: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that says the same to everybody; its port."""

    async def serve(reader: Any, writer: Any) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if answer:
                await reader.read(1)
                writer.write(answer)
            await reader.read()
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    yield listener.sockets[0].getsockname()[1]
    listener.close()


async def report_of(url: str, **settings: Any) -> RouteReport:
    """The report of the way to one server."""
    made = ConsoleSettings(codex_base_url=url, codex_auth_url=url, **settings)
    backend, authorization = await RouteTest(made).run()
    assert (backend.name, authorization.name) == ("backend", "authorization")
    assert [s.name for s in backend.steps] == [s.name for s in authorization.steps]
    return backend


def last(report: RouteReport) -> tuple[str, str]:
    """The step that failed, and its code."""
    assert not report.passed
    assert all(step.passed for step in report.steps[:-1])
    return report.steps[-1].name, report.steps[-1].code


@pytest.fixture
def authority(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    made = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.path))
    return made


async def test_each_step_has_its_time_and_what_it_found(authority: Authority) -> None:
    async with server(OK, authority.server()) as port:
        report = await report_of(f"https://localhost:{port}/backend-api/codex")

    assert report.passed
    assert (report.host, report.proxy) == ("localhost", "")
    notes = {step.name: step.note for step in report.steps}
    assert list(notes) == ["dns", "tcp", "tls", "http"]
    assert "127.0.0.1" in notes["dns"]
    assert (notes["tcp"], notes["tls"], notes["http"]) == ("127.0.0.1", "TLSv1.3", "401")
    assert all(step.milliseconds >= 0 and not step.code for step in report.steps)


@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks5h"])
async def test_a_proxy_is_a_step_and_its_password_is_nowhere(
    authority: Authority, scheme: str
) -> None:
    tls = authority.server() if scheme == "https" else None
    async with (
        server(OK, authority.server()) as port,
        proxy_server(scheme, asks=True, tls=tls) as proxy,
    ):
        report = await report_of(f"https://localhost:{port}/x", upstream_proxy=proxy.url)

    assert report.passed
    assert tuple(step.name for step in report.steps) == STEPS
    assert report.proxy == f"{scheme}://localhost:{proxy.port}"
    assert PAIR[1] not in repr(report)


@pytest.mark.parametrize(
    ("url", "step", "code"),
    [
        ("https://no.such.host.invalid", "dns", "host_unresolved"),
        ("https://127.0.0.1:{free}", "tcp", "tcp_refused"),
        ("https://127.0.0.1:{plain}", "tls", "tls_failed"),
        ("https://127.0.0.1:{secure}", "tls", "tls_untrusted"),
    ],
)
async def test_the_first_step_that_fails_is_named_with_its_cure(
    tmp_path: pathlib.Path, url: str, step: str, code: str
) -> None:
    tls = Authority(tmp_path).server()
    async with server(OK) as plain, server(OK, tls) as secure:
        report = await report_of(url.format(free=free_port(), plain=plain, secure=secure))

    assert last(report) == (step, code)
    assert code in FAULTS
    assert code in CURES


@pytest.mark.parametrize(
    ("answer", "code"),
    [(PAGE, "egress_refused"), (BROKEN, "server_error"), (NO_HTTP, "http_broken")],
)
async def test_what_answers_and_is_not_the_backend_is_told(answer: bytes, code: str) -> None:
    async with server(answer) as port:
        report = await report_of(f"http://127.0.0.1:{port}/x")

    assert last(report) == ("http", code)
    assert code in FAULTS


async def test_silence_has_an_end_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route_test, "STEP_SECONDS", 0.3)
    async with server(b"") as port:
        report = await report_of(f"http://127.0.0.1:{port}/x")
        assert last(report) == ("http", "upstream_timeout")
        report = await report_of(f"https://127.0.0.1:{port}/x")
        assert last(report) == ("tls", "tls_timeout")
    async with proxy_server("http") as proxy:
        proxy.silent = True
        report = await report_of("https://auth.example", upstream_proxy=proxy.url)
        assert last(report) == ("proxy", "proxy_timeout")


@pytest.mark.parametrize(
    ("proxy", "refusal", "step", "code"),
    [
        ("http://no.such.proxy.invalid:3128", 0, "dns", "proxy_unknown"),
        ("http://127.0.0.1:{free}", 0, "tcp", "proxy_unreachable"),
        ("http://ada:secret@127.0.0.1:{port}", 0, "proxy", "proxy_password"),
        ("http://127.0.0.1:{port}", 407, "proxy", "proxy_password"),
        ("http://127.0.0.1:{port}", 403, "proxy", "proxy_refused"),
        ("http://127.0.0.1:{port}", 502, "proxy", "proxy_refused"),
        ("https://127.0.0.1:{other}", 0, "proxy", "proxy_tls"),
        ("http://127.0.0.1:{mail}", 0, "proxy", "proxy_kind"),
        ("socks5://127.0.0.1:{other}", 0, "proxy", "proxy_kind"),
    ],
)
async def test_a_fault_of_the_proxy_is_the_proxys(
    proxy: str, refusal: int, step: str, code: str
) -> None:
    async with (
        proxy_server("http", asks=True) as found,
        server(OK) as other,
        server(NO_HTTP) as mail,
    ):
        found.refusal = refusal
        text = proxy.format(free=free_port(), port=found.port, other=other, mail=mail)
        report = await report_of("https://auth.example", upstream_proxy=text)

    assert last(report) == (step, code)
    assert "secret" not in repr(report)
    assert code in FAULTS
    assert code in CURES


async def test_a_clock_that_is_wrong_is_told() -> None:
    async with server(LATE) as port:
        report = await report_of(f"http://127.0.0.1:{port}/x")

    assert report.passed
    assert report.clock_seconds < -86_400


async def test_the_api_gives_the_report_and_spends_nothing(redis_url: str) -> None:
    async with Simulator() as sim, proxy_server("http", asks=True) as proxy:
        settings = console_settings(
            redis_url,
            codex_base_url=sim.base_url,
            codex_auth_url=sim.auth_url,
            upstream_proxy=proxy.url,
        )
        async with running(settings) as console, script(console) as api:
            answer = await api.post("/api/connection/test")

    body = answer.json()
    assert body["passed"]
    assert [each["name"] for each in body["servers"]] == ["backend", "authorization"]
    assert [step["name"] for step in body["servers"][0]["steps"]] == ["dns", "tcp", "proxy", "http"]
    assert PAIR[1] not in answer.text
