"""Errors become answers: the shape, the code, and nothing of our insides."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from support.consoles import Browser, console_settings, guarded, running, script
from support.redis_server import RedisServer

from codex_proapi.commons.redis.clients import mapped
from codex_proapi.commons.runtime.errors import (
    CredentialRevoked,
    CredentialUnavailable,
    StoreUnavailable,
)
from codex_proapi.console.app import Console
from codex_proapi.console.errors import Code, ConsoleError
from codex_proapi.console.server.error_responses import envelope_of, known_as, sentence_of


@pytest.fixture
async def console(redis_url: str) -> AsyncIterator[Console]:
    async with running(console_settings(redis_url)) as console:
        yield console


@pytest.fixture
async def api(console: Console) -> AsyncIterator[httpx.AsyncClient]:
    async with script(console) as api:
        yield api


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "code"),
    [
        ("GET", "/api/nothing", b"", 404, "not_found"),
        ("PUT", "/api/accounts", b"", 405, "method_not_allowed"),
        ("POST", "/api/keys", b"{", 400, "invalid_value"),
        ("POST", "/api/keys", b"[" * 60_000, 400, "invalid_value"),
        ("POST", "/api/keys", b'{"name": "\xff"}', 400, "invalid_value"),
        ("POST", "/api/keys", b" " * 70_000, 413, "request_too_large"),
        ("GET", "/api/logs?limit=0", b"", 400, "invalid_value"),
        ("GET", "/api/logs?limit=many", b"", 400, "invalid_value"),
        ("GET", "/api/accounts/%00", b"", 400, "invalid_value"),
    ],
)
async def test_a_wrong_request_is_answered_in_one_shape(
    api: httpx.AsyncClient, method: str, path: str, content: bytes, status: int, code: str
) -> None:
    answer = await api.request(method, path, content=content)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert set(error) == {"code", "message", "param", "request_id"}
    assert error["request_id"] == answer.headers["x-request-id"]
    assert "/site-packages/" not in answer.text
    assert "Traceback" not in answer.text


async def test_a_browser_gets_a_page_and_a_script_json(console: Console) -> None:
    async with Browser(console, accept="text/html") as browser, script(console) as api:
        page, json = await browser.get("/nothing"), await api.get("/nothing")

    assert page.headers["content-type"].startswith("text/html")
    assert page.status_code == json.status_code == 404
    assert json.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/", "/login"),
        ("/accounts?sort=name", "/login?next=%2Faccounts%3Fsort%3Dname"),
        ("/auth/callback?code=ac_1&state=s", "/login"),
    ],
)
async def test_a_browser_without_a_session_is_sent_to_sign_in(
    redis_url: str, path: str, where: str
) -> None:
    async with (
        running(guarded(redis_url)) as console,
        Browser(console, accept="text/html", **{"sec-fetch-mode": "navigate"}) as browser,
    ):
        answer = await browser.get(path)

    assert (answer.status_code, answer.headers["location"]) == (303, where)


async def test_redis_away_is_a_503_that_says_so() -> None:
    with RedisServer() as server:
        async with running(console_settings(server.url)) as console, script(console) as api:
            server.kill()
            answer = await api.get("/api/accounts")
            metrics = (await api.get("/metrics")).text

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json()["error"]["code"] == "store_unavailable"
    assert 'console_redis_errors_total{work="request"} 1.0' in metrics


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StoreUnavailable("x"), 503, Code.STORE_UNAVAILABLE),
        (CredentialRevoked("x"), 409, Code.CREDENTIAL_REVOKED),
        (CredentialUnavailable("x"), 409, Code.CREDENTIAL_UNAVAILABLE),
        (RuntimeError("a secret path"), 500, Code.INTERNAL),
        (RecursionError(), 400, Code.INVALID_VALUE),
    ],
)
def test_other_errors_become_ours(error: Exception, status: int, code: Code) -> None:
    known = known_as(error)

    assert (known.status, known.code) == (status, code)
    assert "secret" not in envelope_of(known, request_id="req_1").error.message


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (ResponseError("MISCONF Errors writing to the AOF file: No space"), Code.STORE_FULL),
        (OutOfMemoryError("command not allowed when used memory > 'm'."), Code.STORE_FULL),
        (ReadOnlyError("You can't write against a read only replica."), Code.STORE_READ_ONLY),
        (ResponseError("NOREPLICAS Not enough good replicas to write."), Code.STORE_READ_ONLY),
        (AuthenticationError("invalid username-password pair"), Code.STORE_REFUSED),
        (NoPermissionError("this user has no permissions"), Code.STORE_REFUSED),
        (ResponseError("NOAUTH Authentication required."), Code.STORE_REFUSED),
        (BusyLoadingError("Redis is loading the dataset in memory"), Code.STORE_LOADING),
    ],
)
async def test_a_store_that_answers_is_not_said_to_be_away(reply: Exception, code: Code) -> None:
    try:
        with mapped():
            raise reply
    except StoreUnavailable as error:
        known = known_as(error)

    assert (known.status, known.code) == (503, code)
    assert "does not answer" not in sentence_of(known.code)


def test_the_message_says_what_happened_and_what_to_do() -> None:
    said: Any = envelope_of(ConsoleError(Code.CSRF), request_id="req_1").error

    assert said.message == sentence_of(Code.CSRF)
    assert len(said.message.split(". ")) == 2
