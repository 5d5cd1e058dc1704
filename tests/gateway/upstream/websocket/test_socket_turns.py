"""Requests over kept and new sockets, and what follows when one of them fails: real connections."""

import asyncio
import pathlib
import time
from typing import Any

import pytest
from support.certificates import Authority
from support.proxies import proxy_server
from support.upstream_sockets import SocketScene, a_message, answered, scene

from codex_proapi.commons.proxy.address import parse_proxy
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.policy.transport_faults import SOCKET_BROKEN, SOCKET_LOST
from codex_proapi.gateway.upstream.transport import SilenceBudget
from codex_proapi.gateway.upstream.websocket import socket_turns
from codex_proapi.simulator import Simulator


class Talk:
    """A conversation of one client."""

    def __init__(self, play: SocketScene) -> None:
        self.play = play
        self.history: list[Any] = []
        self.count = 0

    async def turn(self, **fields: Any) -> Any:
        """Go on; gives the output, or the refusal."""
        self.count += 1
        asked = [*self.history, a_message(f"say word{self.count}")]
        request = self.play.request(asked, **fields)
        opened = await self.play.transport.open(request, SilenceBudget.begin(time.monotonic))
        if isinstance(opened, Refusal):
            return opened
        opened.close()
        return opened

    async def whole(self, **fields: Any) -> list[Any]:
        """Go on, to the end of the answer."""
        self.count += 1
        asked = [*self.history, a_message(f"say word{self.count}")]
        output = await answered(self.play.transport, self.play.request(asked, **fields))
        assert output is not None
        self.history = [*asked, *output]
        return output

    @property
    def sent(self) -> list[tuple[str, int, int]]:
        """Method, connection and number of items of every request."""
        return [
            (turn.method, turn.connection, len(turn.body["input"]))
            if turn.method == "WEBSOCKET"
            else (turn.method, 0, len(turn.body["input"]))
            for turn in self.play.sim.turns
        ]


async def test_a_conversation_keeps_its_socket_and_sends_what_is_new() -> None:
    async with scene() as play:
        talk = Talk(play)
        for _ in range(3):
            await talk.whole()

        assert talk.sent == [("WEBSOCKET", 1, 1)] * 3
        assert play.requests("kept", "incremental") == 2
        assert len(play.transport.sockets) == 1


@pytest.mark.parametrize(
    ("fault", "sent", "kind"),
    [
        ("previous_not_found", [("WEBSOCKET", 1, 1), ("WEBSOCKET", 1, 4)], "previous_lost"),
        ("connection_limit", [("WEBSOCKET", 1, 1), ("WEBSOCKET", 2, 4)], ""),
        ("connection_reset", [("WEBSOCKET", 1, 1), ("WEBSOCKET", 2, 4)], "stale"),
        ("closed_1000_frame", [("WEBSOCKET", 1, 1), ("WEBSOCKET", 2, 4)], "stale"),
        ("closed_1001_frame", [("WEBSOCKET", 1, 1), ("WEBSOCKET", 2, 4)], "stale"),
        ("closed_1008_frame", [("WEBSOCKET", 1, 1), ("WEBSOCKET", 2, 4)], "stale"),
        ("closed_1011_frame", [("WEBSOCKET", 1, 1), ("WEBSOCKET", 2, 4)], "stale"),
        ("closed_1009_frame", [("WEBSOCKET", 1, 1), ("POST", 0, 4)], "too_large"),
    ],
)
async def test_what_a_kept_socket_loses_is_asked_again_in_full(
    fault: str, sent: list[Any], kind: str
) -> None:
    async with scene() as play:
        talk = Talk(play)
        await talk.whole()
        play.sim.script(fault)
        [*_, said] = await talk.whole()

        # The first turn sent three items' worth of history: its message, and what was answered.
        assert [(method, at, min(n, 4)) for method, at, n in talk.sent[1:]] == sent
        assert said["content"][0]["text"] == "word2"
        if kind:
            assert play.faults(kind) == 1
        assert play.faults("lost") == play.faults("broken") == 0


async def test_a_socket_that_ends_while_it_waits_is_replaced_without_a_word() -> None:
    async with scene() as play:
        talk = Talk(play)
        play.sim.script("closed_1001_end")
        await talk.whole()
        await play.until(lambda: play.sim.turns[0].ending)
        await talk.whole()

        assert [at for _, at, _ in talk.sent] == [1, 2]
        assert [n for _, _, n in talk.sent] == [1, 4]


async def test_nothing_is_asked_again_over_a_kept_socket_once_the_backend_has_begun() -> None:
    async with scene() as play:
        talk = Talk(play)
        await talk.whole()
        play.sim.script("closed_1011_created")
        refusal = await talk.turn()

        assert isinstance(refusal, Refusal)
        assert refusal.code == SOCKET_BROKEN
        assert len(talk.sent) == 2


async def test_silence_of_a_kept_socket_is_a_fault_of_the_transport(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with scene() as play:
        talk = Talk(play)
        await talk.whole()
        monkeypatch.setattr(socket_turns, "FIRST_EVENT_SECONDS", 0.3)
        play.sim.script("socket_silent")
        refusal = await talk.turn()

        assert isinstance(refusal, Refusal)
        assert refusal.code == SOCKET_LOST
        assert play.faults("silent") == 1
        assert len(play.transport.sockets) == 0


async def test_after_a_failed_turn_everything_is_sent() -> None:
    async with scene() as play:
        talk = Talk(play)
        await talk.whole()
        play.sim.script("failed")
        assert isinstance(await talk.turn(), Refusal)
        await talk.whole()

        assert [n for _, _, n in talk.sent] == [1, 1, 4]
        assert talk.play.sim.turns[-1].body.get("previous_response_id") is None


async def test_turns_side_by_side_use_sockets_of_their_own() -> None:
    async with scene() as play:
        one, other = Talk(play), Talk(play)
        play.sim.script("slow", pace=0.05, times=2)
        await asyncio.gather(one.whole(), other.whole())
        await one.whole()
        await other.whole()

        assert sorted(at for _, at, _ in one.sent) == [1, 1, 2, 2]
        assert play.requests("kept", "incremental") == 2


async def test_a_message_over_the_announced_limit_goes_by_post() -> None:
    async with scene() as play:
        play.sim.world.socket_message_bytes = 3000
        talk = Talk(play)
        await talk.whole()
        talk.history.append(a_message("x" * 5000))
        await talk.whole()

        assert [method for method, _, _ in talk.sent] == ["WEBSOCKET", "POST"]


async def test_an_account_that_is_paused_loses_its_socket() -> None:
    async with scene() as play:
        talk = Talk(play)
        await talk.whole()
        play.paused.add("ada")
        play.transport.tick()

        assert len(play.transport.sockets) == 0


async def test_a_drain_lets_the_turn_under_way_end() -> None:
    async with scene() as play:
        talk = Talk(play)
        play.sim.script("slow", pace=0.02)
        under_way = asyncio.ensure_future(talk.whole())
        await play.until(lambda: play.sim.turns)
        play.transport.begin_drain()
        await under_way

        assert len(play.transport.sockets) == 0


async def test_a_client_that_leaves_ends_its_socket() -> None:
    async with scene() as play:
        talk = Talk(play)
        play.sim.script("slow", pace=0.5)
        await talk.turn()
        await play.until(lambda: play.sim.turns[0].ending)

        assert play.sim.turns[0].ending == "client_left"
        assert len(play.transport.sockets) == 0


@pytest.mark.parametrize("scheme", ["", "http", "https", "socks5"])
async def test_sockets_are_kept_over_tls_and_through_proxies(
    scheme: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    own = authority.server() if scheme == "https" else None
    async with proxy_server(scheme or "http", asks=True, tls=own) as proxy:
        options = {"proxy": parse_proxy(proxy.url)} if scheme else {}
        backend = Simulator(tls=authority.server())
        async with scene(backend=backend, tls=authority.client(), **options) as play:
            talk = Talk(play)
            for _ in range(3):
                await talk.whole()
            large = await answered(
                play.transport, play.request([a_message("say large " + "x" * 500_000)])
            )

            assert large is not None
            assert [n for _, _, n in talk.sent[:3]] == [1, 1, 1]
            assert len(proxy.targets) == (1 if scheme else 0)


async def test_another_certificate_is_a_post_that_fails_too(tmp_path: pathlib.Path) -> None:
    server = Authority(tmp_path).server(names=("other.example",))
    async with scene(backend=Simulator(tls=server), tls=Authority(tmp_path).client()) as play:
        refusal = await Talk(play).turn()

        assert isinstance(refusal, Refusal)
        assert play.faults("handshake") == 1
