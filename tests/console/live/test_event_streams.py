"""Open streams: counted, and checked for whether their visitor is still admitted."""

import pytest
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from support.clock import Clock

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import connect
from codex_proapi.console.auth.administrator import Administrator
from codex_proapi.console.auth.identity import IdentityKind, RequestIdentity
from codex_proapi.console.auth.passwords import Passwords
from codex_proapi.console.auth.script_tokens import ScriptTokens
from codex_proapi.console.auth.sessions import Sessions
from codex_proapi.console.errors import TooMany
from codex_proapi.console.live import event_streams
from codex_proapi.console.live.event_streams import Admission, Gate, event
from codex_proapi.console.metrics import Metrics


class Scene:
    """A gate and those it asks."""

    def __init__(self, redis: Redis) -> None:
        self.clock = Clock()
        self.metrics = Metrics(CollectorRegistry())
        self.sessions = Sessions(redis, clock=self.clock)
        self.tokens = ScriptTokens(redis, clock=self.clock)
        self.administrator = Administrator(redis, Passwords(), clock=self.clock)
        self.gate = Gate(
            administrator=self.administrator,
            sessions=self.sessions,
            tokens=self.tokens,
            metrics=self.metrics,
        )


@pytest.fixture
def scene(redis_client: Redis) -> Scene:
    return Scene(redis_client)


def an_identity(kind: IdentityKind, *, owner: str = "x") -> RequestIdentity:
    return RequestIdentity(kind=kind, actor="x", owner=owner)


async def test_a_session_is_admitted_until_it_ends(scene: Scene) -> None:
    _, session = await scene.sessions.begin(ip="", agent="", sign_outs=0)
    identity = RequestIdentity(
        kind=IdentityKind.SESSION, actor="admin", owner="session:1", session=session
    )
    assert await scene.gate.admits(identity)
    await scene.sessions.end(session.id)

    assert not await scene.gate.admits(identity)


async def test_a_token_is_admitted_until_it_is_revoked(scene: Scene) -> None:
    token, _ = await scene.tokens.create("t")
    identity = an_identity(IdentityKind.TOKEN, owner=f"token:{token.id}")
    assert await scene.gate.admits(identity)
    await scene.tokens.revoke(token.id)

    assert not await scene.gate.admits(identity)


async def test_this_machine_is_admitted_until_a_password_is_set(
    scene: Scene, redis_client: Redis
) -> None:
    identity = an_identity(IdentityKind.LOCAL)
    assert await scene.gate.admits(identity)
    await redis_client.hset(keyspace.admin(), "password", "$argon2id$")
    scene.clock.pass_(1)

    assert not await scene.gate.admits(identity)
    assert not await scene.gate.admits(an_identity(IdentityKind.STRANGER))


async def test_a_ticket_asks_only_every_few_seconds(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = scene.gate.ticket(an_identity(IdentityKind.STRANGER))
    assert await ticket.admission() is Admission.HOLDS
    monkeypatch.setattr(ticket, "_good_until", 0.0)

    assert await ticket.admission() is Admission.ENDED


async def test_when_redis_cannot_say_a_ticket_neither_holds_nor_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = connect("unix:///nowhere/at/all")
    ticket = Scene(client).gate.ticket(an_identity(IdentityKind.LOCAL))
    monkeypatch.setattr(ticket, "_good_until", 0.0)

    assert await ticket.admission() is Admission.UNKNOWN
    await client.aclose()


def test_streams_are_counted_by_visitor_and_kind(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_streams, "MOST_STREAMS", 1)
    one, other = (
        an_identity(IdentityKind.LOCAL, owner="one"),
        an_identity(IdentityKind.LOCAL, owner="other"),
    )
    with scene.gate.open(one, "logs"):
        scene.gate.check(other)
        with pytest.raises(TooMany):
            scene.gate.check(one)
        assert b'console_streams{stream="logs"} 1.0' in scene.metrics.exposition()[0]
    scene.gate.check(one)

    assert b'console_streams{stream="logs"} 0.0' in scene.metrics.exposition()[0]
    assert repr(scene.gate) == "<Gate with 0 streams>"


def test_an_event_is_written_as_the_standard_says() -> None:
    assert event(b"{}", name="log", event_id="5-0") == b"id: 5-0\nevent: log\ndata: {}\n\n"
    assert event(b"{}") == b"data: {}\n\n"
