"""What the authorization server's failures mean to the person who signs in.

Whole logins from begin to finish are in tests/journeys/test_f5_login.py.
"""

import httpx
import pytest
from redis.asyncio import Redis
from support.account_kinds import BADGE, with_badges
from support.clock import Clock
from support.consoles import KEY, console_settings
from support.logins import a_jwt, a_login, an_access_token

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.codex.token_endpoint import (
    GrantError,
    GrantRefused,
    GrantUnavailable,
    TokenEndpoint,
)
from codex_proapi.commons.redis import keyspace
from codex_proapi.console.accounts.auth_json import read_auth_json
from codex_proapi.console.accounts.callback import Callback
from codex_proapi.console.accounts.login_service import LoginService, meaning_of
from codex_proapi.console.accounts.pending_logins import PendingLogins, Way
from codex_proapi.console.errors import Code, Conflict, LoginRefused

NOW = 1_795_000_000
OWN = frozenset({"local"})


def refused(code: str, status: int = 400, message: str = "") -> GrantRefused:
    return GrantRefused(code, permanent=True, status=status, message=message)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (refused("invalid_grant"), 400, Code.EXCHANGE_REFUSED),
        (refused("no_access_token", 200), 400, Code.EXCHANGE_REFUSED),
        (refused("anything", 403), 400, Code.EXCHANGE_FORBIDDEN),
        (refused("x", 403, "missing_codex_entitlement here"), 400, Code.MISSING_ENTITLEMENT),
        (refused("access_denied"), 400, Code.ACCESS_DENIED),
        (refused("device_login_disabled", 404), 400, Code.DEVICE_DISABLED),
        (refused("deviceauth_expired"), 400, Code.DEVICE_EXPIRED),
        (refused("expired_token"), 400, Code.DEVICE_EXPIRED),
        (GrantUnavailable("http_403_page", sent=True), 400, Code.EXCHANGE_FORBIDDEN),
        (GrantUnavailable("http_503", sent=True), 502, Code.AUTHORIZATION_UNREACHABLE),
        (GrantUnavailable("ConnectError", sent=False), 502, Code.AUTHORIZATION_UNREACHABLE),
        (GrantError("else"), 502, Code.AUTHORIZATION_UNREACHABLE),
    ],
)
def test_each_failure_has_its_meaning(error: GrantError, status: int, code: Code) -> None:
    meaning = meaning_of(error)

    assert (meaning.status, meaning.code) == (status, code)


class Server:
    """An authorization server that gives what it is told to."""

    def __init__(self) -> None:
        self.tokens = {"access_token": an_access_token(exp=NOW + 999), "refresh_token": "rt_1"}
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.url.path} {request.content.decode()}")
        return httpx.Response(200, json=self.tokens)


class Services:
    """A login service with the objects it uses."""

    def __init__(self, redis: Redis, redis_url: str) -> None:
        self.server = Server()
        self.seen: list[tuple[str, str]] = []
        cipher, clock = CredentialCipher([KEY]), Clock(NOW)
        self.accounts = AccountStore(redis, cipher)
        http = httpx.AsyncClient(transport=httpx.MockTransport(self.server))
        self.login_service = LoginService(
            settings=console_settings(redis_url, codex_auth_url="http://auth.test"),
            accounts=self.accounts,
            endpoint=TokenEndpoint(http, issuer="http://auth.test", client_id="app", identity={}),
            pending=PendingLogins(redis, cipher, clock=clock),
            clock=clock,
            hook=lambda way, outcome: self.seen.append((way.value, outcome)),
        )

    async def arrive(self, *, account: str = "") -> str:
        """Begin and finish a browser login; gives the account's id."""
        begun = await self.login_service.begin(
            Way.BROWSER,
            owner="local",
            redirect_uri="http://localhost:1455/auth/callback",
            account=account,
        )
        state = httpx.URL(begun.authorize_url).params["state"]
        added, _ = await self.login_service.finish(Callback(code="ac_1", state=state), owners=OWN)
        return added.id


@pytest.fixture
def login_service(redis_client: Redis, redis_url: str) -> Services:
    return Services(redis_client, redis_url)


async def test_the_exchange_repeats_the_redirect_and_proves_the_challenge(
    login_service: Services,
) -> None:
    await login_service.arrive()

    (asked,) = login_service.server.asked
    form = dict(httpx.QueryParams(asked.partition(" ")[2]))
    assert (form["code"], form["redirect_uri"]) == ("ac_1", "http://localhost:1455/auth/callback")
    assert len(form["code_verifier"]) == 86
    assert login_service.seen == [("browser", "done")]


async def test_tokens_that_name_no_workspace_are_no_account(login_service: Services) -> None:
    login_service.server.tokens = {
        "access_token": a_jwt(exp=NOW + 9, sub="user-1"),
        "refresh_token": "rt",
    }
    with pytest.raises(LoginRefused) as caught:
        await login_service.arrive()

    assert caught.value.code is Code.NO_ACCOUNT_IN_LOGIN
    assert await login_service.accounts.list() == []
    assert login_service.seen == [("browser", "no_account_in_login")]


async def test_a_file_of_another_identity_renews_nothing(login_service: Services) -> None:
    file = read_auth_json({"access_token": an_access_token(exp=NOW + 9)}, now=NOW)
    with pytest.raises(Conflict):
        await login_service.login_service.import_file(file, account="acc_other")
    added = await login_service.login_service.import_file(file, account=file.preview.id)

    assert added.id == file.preview.id


async def test_logging_out_without_a_credential_does_nothing(login_service: Services) -> None:
    assert not await login_service.login_service.log_out("acc_1")
    assert login_service.server.asked == []


async def test_a_login_is_ended_in_the_way_of_its_kind(
    login_service: Services, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = with_badges(monkeypatch)
    added = await login_service.accounts.add(a_login(exp=NOW + 900, kind=BADGE))

    assert not await login_service.login_service.log_out(added.id)
    assert kind.revoked == [added.id]
    await redis_client.hset(keyspace.account(added.id), "kind", "bedrock")
    assert not await login_service.login_service.log_out(added.id)
    assert login_service.server.asked == []
