"""Listening, and the two applications as one server drains them."""

import socket
import sys
from typing import Any

import pytest
from redis.asyncio import Redis

from codex_proapi.commons.cluster.live_settings import LiveSettingsStore
from codex_proapi.commons.http.listening import CannotListen
from codex_proapi.local.serving import Together, default_time_zone, listen


def close(sockets: list[socket.socket]) -> None:
    for each in sockets:
        each.close()


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_loopback_is_both_addresses_of_localhost() -> None:
    sockets = listen("127.0.0.1", 0)

    ports = {each.getsockname()[1] for each in sockets}
    close(sockets)

    assert len(ports) == 1
    assert len(sockets) == (2 if has_ipv6() else 1)


def test_another_address_is_only_itself() -> None:
    sockets = listen("0.0.0.0", 0)
    close(sockets)

    assert len(sockets) == 1


def test_a_taken_port_is_explained() -> None:
    sockets = listen("127.0.0.1", 0)
    sockets[0].listen()
    port = sockets[0].getsockname()[1]

    with pytest.raises(CannotListen, match=f"cannot listen on 127.0.0.1:{port}"):
        listen("127.0.0.1", port)
    close(sockets)


class Recorded:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda: self.calls.append(name)


def test_a_drain_ends_live_pages_first_and_answers_last(
    capsys: pytest.CaptureFixture[str],
) -> None:
    gateway, console = Recorded(), Recorded()
    together = Together(gateway, console, sys.stderr)  # type: ignore[arg-type]

    together.begin_drain()
    together.end_drain()

    assert console.calls == ["begin_drain"]
    assert gateway.calls == ["begin_drain", "end_drain"]
    assert "Ctrl-C again stops at once" in capsys.readouterr().err


async def test_one_machine_counts_by_its_own_days_until_someone_sets_others(
    redis_client: Redis,
) -> None:
    settings = LiveSettingsStore(redis_client)

    await default_time_zone(settings, "Asia/Shanghai")
    assert (await settings.read()).time_zone == "Asia/Shanghai"

    await settings.change({"time_zone": "UTC"})
    await default_time_zone(settings, "Asia/Shanghai")
    assert (await settings.read()).time_zone == "UTC"
