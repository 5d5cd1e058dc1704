import inspect
import signal
from typing import Any

import pytest
from support.listening import a_head, serving

END_OF_CHUNKS = b"0\r\n\r\n"


async def begun(scene: Any) -> Any:
    """A connection whose answer's head has gone out, without `connection: close`."""
    reader, writer = await scene.connect()
    writer.write(b"GET /begun HTTP/1.1\r\nhost: x\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"connection: close" not in head
    return reader, writer


def set_linger(monkeypatch: pytest.MonkeyPatch, scene: Any, seconds: float) -> None:
    protocol = inspect.getmodule(type(scene.connections[0]).leave)
    monkeypatch.setattr(protocol, "LINGER_SECONDS", seconds)


@pytest.mark.parametrize("settle", [0.0, 60.0])
async def test_a_request_that_follows_an_answer_begun_before_the_drain_is_not_lost(
    monkeypatch: pytest.MonkeyPatch, settle: float
) -> None:
    async with serving(settle=settle, drain=60) as scene:
        reader, writer = await begun(scene)
        set_linger(monkeypatch, scene, 3600)

        scene.server.drain(settle)
        scene.app.go_on.set()
        await reader.readuntil(END_OF_CHUNKS)
        writer.write(a_head())
        answer = await reader.read()

        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b"connection: close" in answer
        writer.close()


async def test_a_connection_that_nobody_uses_again_is_closed_after_its_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving(drain=60) as scene:
        reader, writer = await begun(scene)
        set_linger(monkeypatch, scene, 0)

        scene.server.handle_exit(signal.SIGTERM, None)
        scene.app.go_on.set()

        assert (await reader.read()).endswith(END_OF_CHUNKS)
        await scene.serving
        writer.close()
