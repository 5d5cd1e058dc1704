from typing import Any

import pytest
from support.clock import Clock

from codex_proapi.gateway.upstream.websocket.continuation import Asked, Continuation
from codex_proapi.gateway.upstream.websocket.frames import CreateRequest
from codex_proapi.gateway.upstream.websocket.open_sockets import (
    AGE_SECONDS,
    CONTINUED_SECONDS,
    MOST,
    MOST_NEW,
    MOST_OF_ACCOUNT,
    MOST_OF_CONVERSATION,
    NEW_SECONDS,
    OpenSocket,
    OpenSockets,
    SocketKey,
)


class FakeSocket:
    """A connection that only counts."""

    def __init__(self, requests: int = 1) -> None:
        self.requests = requests
        self.alive = True
        self.ticks = 0

    def tick(self) -> None:
        self.ticks += 1

    def close(self) -> None:
        self.alive = False

    abort = close


class Scene:
    def __init__(self) -> None:
        self.clock = Clock()
        self.unusable: set[str] = set()
        self.sockets = OpenSockets(lambda each: each not in self.unusable, clock=self.clock)

    def open(self, talk: str = "talk", *, requests: int = 1, **key: Any) -> OpenSocket:
        socket: Any = FakeSocket(requests)
        return self.sockets.add(socket, key_of(talk, **key))

    def kept(self, talk: str = "talk", **fields: Any) -> OpenSocket:
        made = self.open(talk, **fields)
        self.sockets.keep(made, None)
        return made

    def take(self, talk: str = "talk", **key: Any) -> OpenSocket | None:
        found = self.sockets.take(key_of(talk, **key), ASKED)
        return found[0] if found else None


ASKED = Asked(CreateRequest(b'{"input":[]}', {}), 12)


def key_of(talk: str = "talk", *, account: str = "ada", key_id: str = "one") -> SocketKey:
    return SocketKey(account=account, key_id=key_id, conversation=talk, headers=b"")


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_socket_is_given_to_its_own_conversation_only_and_once(scene: Scene) -> None:
    made = scene.kept()

    assert scene.take("other") is None
    assert scene.take(account="ben") is None
    assert scene.take(key_id="two") is None
    assert scene.take() is made
    assert scene.take() is None
    assert len(scene.sockets) == 1


@pytest.mark.parametrize(("requests", "seconds"), [(1, NEW_SECONDS), (2, CONTINUED_SECONDS)])
def test_a_socket_waits_longer_once_its_conversation_has_gone_on(
    scene: Scene, requests: int, seconds: int
) -> None:
    made: Any = scene.kept(requests=requests)
    scene.clock.pass_(seconds - 1)
    scene.sockets.tick()
    assert made.socket.alive

    scene.clock.pass_(1)
    scene.sockets.tick()
    assert not made.socket.alive
    assert len(scene.sockets) == 0


def test_a_socket_grows_no_older_than_the_backend_lets_it(scene: Scene) -> None:
    made = scene.open(requests=9)
    scene.clock.pass_(AGE_SECONDS)
    scene.sockets.keep(made, None)

    assert scene.take() is None
    assert len(scene.sockets) == 0


def test_a_closed_socket_is_not_given(scene: Scene) -> None:
    made: Any = scene.kept()
    made.socket.alive = False

    assert scene.take() is None
    scene.sockets.tick()
    assert len(scene.sockets) == 0


def test_an_account_that_may_not_be_used_loses_its_sockets(scene: Scene) -> None:
    waiting, other = scene.kept(), scene.kept(account="ben")
    busy = scene.open("busy")
    scene.unusable.add("ada")
    scene.sockets.tick()
    scene.sockets.keep(busy, None)

    assert [each.socket.alive for each in (waiting, busy, other)] == [False, False, True]


def test_a_revoked_key_loses_its_sockets(scene: Scene) -> None:
    waiting, other = scene.kept(key_id="one"), scene.kept(key_id="two")
    assert scene.sockets.key_ids() == {"one", "two"}
    scene.sockets.end_key("one")

    assert [each.socket.alive for each in (waiting, other)] == [False, True]


def test_a_drain_closes_what_waits_and_the_others_after_their_answer(scene: Scene) -> None:
    waiting, busy = scene.kept(), scene.open("busy")
    scene.sockets.begin_drain()
    assert [each.socket.alive for each in (waiting, busy)] == [False, True]

    scene.sockets.keep(busy, None)
    assert not busy.socket.alive


def test_a_socket_without_a_conversation_is_not_kept(scene: Scene) -> None:
    made = scene.kept("")

    assert not made.socket.alive


def test_the_sockets_of_an_account_are_bounded(scene: Scene) -> None:
    busy = [scene.open(f"{number}") for number in range(MOST_OF_ACCOUNT)]
    assert not scene.sockets.has_room("ada")
    assert scene.sockets.has_room("ben")

    scene.sockets.keep(busy[5], None)
    assert scene.sockets.has_room("ada")
    assert not busy[5].socket.alive


def test_the_sockets_of_a_process_are_bounded(scene: Scene) -> None:
    for number in range(MOST):
        scene.open(f"{number}", account=f"{number}")

    assert not scene.sockets.has_room("ada")


def test_the_waiting_sockets_of_one_conversation_are_bounded(scene: Scene) -> None:
    made = [scene.kept(requests=2) for _ in range(MOST_OF_CONVERSATION + 1)]

    assert [each.socket.alive for each in made] == [False] + [True] * MOST_OF_CONVERSATION


def test_conversations_that_never_went_on_make_room_first(scene: Scene) -> None:
    old = scene.kept("old", requests=2)
    made = [scene.kept(f"{number}", account=f"{number}") for number in range(MOST_NEW + 1)]

    assert old.socket.alive
    assert [each.socket.alive for each in made] == [False] + [True] * MOST_NEW


def test_of_several_sockets_that_fit_the_one_that_knows_most_is_taken(scene: Scene) -> None:
    def last(size: int) -> Continuation:
        answered: Any = None
        return Continuation(settings=b"", size=size, digest=b"", answered=answered)

    class KnowsAll(Asked):
        def after(self, last: Continuation) -> bytes:
            return b"%d" % last.size

    made = [scene.open() for _ in range(3)]
    for each, size in zip(made, (10, 30, 20), strict=True):
        scene.sockets.keep(each, last(size))
    found = scene.sockets.take(key_of(), KnowsAll(CreateRequest(b"", {}), 0))

    assert found == (made[1], b"30")


def test_every_open_socket_is_told_of_the_seconds(scene: Scene) -> None:
    made: list[Any] = [scene.kept(), scene.open("busy")]
    scene.sockets.tick()

    assert [each.socket.ticks for each in made] == [1, 1]
    assert repr(scene.sockets) == "<OpenSockets 2, 1 of them waiting>"
    scene.sockets.close()
    assert len(scene.sockets) == 0
