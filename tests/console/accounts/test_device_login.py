"""Device codes: asked about at the server's pace, by whichever replica's turn it is.

Whole logins are in tests/journeys/test_f5_login.py.
"""

import asyncio
from collections.abc import Callable

import httpx
import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.consoles import KEY, console_settings
from support.logins import an_access_token

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.codex.token_endpoint import TokenEndpoint
from codex_proapi.commons.redis import keyspace
from codex_proapi.console.accounts.device_login import DeviceLogins
from codex_proapi.console.accounts.login_service import LoginService
from codex_proapi.console.accounts.pending_logins import LoginState, Outcome, PendingLogins
from codex_proapi.console.errors import AuthServerAway, NotFound

NOW = 1_795_000_000
OWN = frozenset({"session:1"})
PENDING = httpx.Response(403, json={"error": {"code": "deviceauth_authorization_unknown"}})
Answer = httpx.Response | Exception


class Server:
    """An authorization server with a script of polls."""

    def __init__(self) -> None:
        self.polls: list[Answer] = []
        self.start: Answer = httpx.Response(
            200, json={"device_auth_id": "d1", "user_code": "ABCD-12345", "interval": "7"}
        )
        self.tokens = {"access_token": an_access_token(exp=NOW + 999), "refresh_token": "rt_1"}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/usercode"):
            return _said(self.start)
        if request.url.path.endswith("/deviceauth/token"):
            return _said(self.polls.pop(0))
        return httpx.Response(200, json=self.tokens)


def _said(answer: Answer) -> httpx.Response:
    if isinstance(answer, Exception):
        raise answer
    return answer


class Scene:
    """A service for device codes, and time that passes between polls."""

    def __init__(self, redis: Redis, redis_url: str) -> None:
        self.server, self.redis, self.clock = Server(), redis, Clock(NOW)
        cipher = CredentialCipher([KEY])
        self.http = http = httpx.AsyncClient(transport=httpx.MockTransport(self.server))
        endpoint = TokenEndpoint(http, issuer="http://auth.test", client_id="app", identity={})
        pending = PendingLogins(redis, cipher, clock=self.clock)
        self.accounts = AccountStore(redis, cipher)
        self.login_service = LoginService(
            settings=console_settings(redis_url),
            accounts=self.accounts,
            endpoint=endpoint,
            pending=pending,
            clock=self.clock,
        )
        self.devices = DeviceLogins(
            login_service=self.login_service,
            endpoint=endpoint,
            pending=pending,
            clock=self.clock,
            sleep=self.pass_interval,
        )

    async def poll(self, login_id: str, *answers: Answer) -> LoginState:
        """Let the interval pass, then ask."""
        self.server.polls.extend(answers)
        await self.redis.delete(keyspace.login_poll(login_id))
        return (await self.devices.poll(login_id, owners=OWN)).outcome.login_state

    async def pass_interval(self, _seconds: float) -> None:
        """Time passes for all logins that wait."""
        await asyncio.sleep(0)
        for key in await self.redis.keys(keyspace.login_poll("*")):
            await self.redis.delete(key)

    async def pause(self, login_id: str) -> int:
        """Seconds until the next poll."""
        return int(await self.redis.ttl(keyspace.login_poll(login_id)))


@pytest.fixture
def scene(redis_client: Redis, redis_url: str) -> Scene:
    return Scene(redis_client, redis_url)


async def test_a_poll_waits_as_long_as_the_server_wants(scene: Scene) -> None:
    begun = await scene.devices.begin(owner="session:1")
    assert 6 <= await scene.pause(begun.id) <= 7

    assert await scene.poll(begun.id, PENDING) is LoginState.WAITING
    assert 6 <= await scene.pause(begun.id) <= 7


async def test_slow_down_adds_five_seconds_each_time(scene: Scene) -> None:
    begun = await scene.devices.begin(owner="session:1")
    slower: Callable[[], httpx.Response] = lambda: httpx.Response(400, json={"error": "slow_down"})  # noqa: E731
    await scene.poll(begun.id, slower())
    await scene.poll(begun.id, slower())

    assert 16 <= await scene.pause(begun.id) <= 17


@pytest.mark.parametrize(
    "hiccup",
    [httpx.Response(502, text="<html>"), httpx.ConnectError("no"), httpx.ReadTimeout("no")],
)
async def test_a_hiccup_ends_no_login(scene: Scene, hiccup: Answer) -> None:
    begun = await scene.devices.begin(owner="session:1")
    assert await scene.poll(begun.id, hiccup) is LoginState.WAITING
    done = httpx.Response(200, json={"authorization_code": "ac_1", "code_verifier": "v"})

    assert await scene.poll(begun.id, done) is LoginState.DONE
    assert len(await scene.accounts.list()) == 1


async def test_tokens_of_no_account_fail_the_login_not_the_poll(scene: Scene) -> None:
    scene.server.tokens = {"access_token": "opaque", "refresh_token": "rt_1"}
    begun = await scene.devices.begin(owner="session:1")
    done = httpx.Response(200, json={"authorization_code": "ac_1", "code_verifier": "v"})

    assert await scene.poll(begun.id, done) is LoginState.FAILED
    outcome = await scene.login_service.login_state(begun.id, owners=OWN)
    assert outcome.code == "no_account_in_login"


async def test_a_login_that_has_ended_is_not_asked_about(scene: Scene) -> None:
    begun = await scene.devices.begin(owner="session:1")
    denied = httpx.Response(400, json={"error": "access_denied"})
    assert await scene.poll(begun.id, denied) is LoginState.FAILED

    assert await scene.poll(begun.id) is LoginState.FAILED


async def test_an_unknown_login_and_a_server_away(scene: Scene) -> None:
    with pytest.raises(NotFound):
        await scene.devices.poll("login_unknown", owners=OWN)
    scene.server.start = httpx.ConnectError("no")
    with pytest.raises(AuthServerAway):
        await scene.devices.begin(owner="session:1")


async def test_slow_down_revives_no_login_that_was_given_up_meanwhile(scene: Scene) -> None:
    begun = await scene.devices.begin(owner="session:1")

    class GivenUp(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await scene.login_service.give_up(begun.id, owners=OWN)
            return httpx.Response(400, json={"error": "slow_down"})

    scene.http._transport = GivenUp()
    assert await scene.poll(begun.id) is LoginState.FAILED
    assert await scene.redis.exists(keyspace.login(begun.id)) == 0


async def test_a_login_that_no_page_waits_for_is_polled_until_it_ends(
    redis_client: Redis, redis_url: str
) -> None:
    noted: list[Outcome] = []
    ended = asyncio.Event()

    async def note(outcome: Outcome) -> None:
        noted.append(outcome)
        ended.set()

    scene = Scene(redis_client, redis_url)
    done = httpx.Response(200, json={"authorization_code": "ac_1", "code_verifier": "v"})
    scene.server.polls = [PENDING, httpx.ConnectError("no"), done]
    begun = await scene.devices.begin(owner="session:1")
    scene.devices.watch(begun, note)
    await asyncio.wait_for(ended.wait(), 60)
    await scene.devices.close()

    assert scene.server.polls == []
    (account,) = await scene.accounts.list()
    assert [(each.login_state, each.account) for each in noted] == [(LoginState.DONE, account.id)]


async def test_of_two_that_poll_at_once_one_has_ended_the_login(scene: Scene) -> None:
    begun = await scene.devices.begin(owner="session:1")
    denied = httpx.Response(400, json={"error": "access_denied"})
    scene.server.polls = [denied]
    await scene.redis.delete(keyspace.login_poll(begun.id))
    found = await asyncio.gather(*(scene.devices.poll(begun.id, owners=OWN) for _ in range(3)))

    assert sorted(each.ended for each in found) == [False, False, True]
