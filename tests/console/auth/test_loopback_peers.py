"""Whose user is at the other end of a loopback connection, as /proc/net/tcp tells it."""

import os
import pathlib
import socket
import sys

import pytest
from support.clock import Clock

from codex_proapi.console.auth.loopback_peers import LoopbackPeers

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
ROW = "  11: {local} {remote} 01 00000000:00000000 00:00000000 00000000 {uid:>5}        0 1234 1\n"
TCP = (
    HEAD
    + ROW.format(local="0100007F:C350", remote="0100007F:05AF", uid=1001)  # 50000 → 1455
    + ROW.format(local="0100007F:05AF", remote="0100007F:C350", uid=1000)  # our own end
    + "  12: what it is nobody knows\n"
)
TCP6 = (
    HEAD
    + ROW.format(
        local="00000000000000000000000001000000:C351",
        remote="00000000000000000000000001000000:05AF",
        uid=1002,
    )
    + ROW.format(
        local="0000000000000000FFFF00000100007F:C352",
        remote="0000000000000000FFFF00000100007F:05AF",
        uid=1001,
    )
)
OURS = ("127.0.0.1", 1455)


@pytest.fixture
def tables(tmp_path: pathlib.Path) -> list[pathlib.Path]:
    (tmp_path / "tcp").write_text(TCP)
    (tmp_path / "tcp6").write_text(TCP6)
    return [tmp_path / "none", tmp_path / "tcp", tmp_path / "tcp6"]


@pytest.mark.skipif(sys.byteorder == "big", reason="the tables are in the machine's order")
@pytest.mark.parametrize(
    ("client", "server", "uid"),
    [
        (("127.0.0.1", 50_000), OURS, 1001),
        (("::1", 50_001), ("::1", 1455), 1002),
        (("127.0.0.1", 50_002), OURS, 1001),
        (("::ffff:127.0.0.1", 50_002), ("::ffff:127.0.0.1", 1455), 1001),
    ],
)
def test_the_owner_of_the_far_end_is_told(
    tables: list[pathlib.Path], client: tuple[str, int], server: tuple[str, int], uid: int
) -> None:
    assert LoopbackPeers(tables=tables, own=frozenset({1000})).is_foreign(client, server)
    assert not LoopbackPeers(tables=tables, own=frozenset({uid})).is_foreign(client, server)


@pytest.mark.parametrize(
    ("client", "server"),
    [
        (("127.0.0.1", 50_009), OURS),
        (("127.0.0.1", 50_000), ("127.0.0.1", 1456)),
        (("10.0.0.7", 50_000), OURS),
        (("somewhere", 50_000), OURS),
        (None, OURS),
        (("127.0.0.1", 50_000), None),
    ],
)
def test_a_connection_that_is_not_known_is_the_owner_s(
    tables: list[pathlib.Path], client: tuple[str, int] | None, server: tuple[str, int] | None
) -> None:
    assert not LoopbackPeers(tables=tables, own=frozenset({1000})).is_foreign(client, server)


@pytest.mark.skipif(not pathlib.Path("/proc/net/tcp").exists(), reason="Linux tells")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_real_connection_is_known(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listening:
        try:
            listening.bind((host, 0))
        except OSError:
            pytest.skip(f"no {host} here")
        listening.listen()
        with socket.create_connection(listening.getsockname()[:2]) as client:
            mine, ours = client.getsockname()[:2], client.getpeername()[:2]
            if LoopbackPeers(own=frozenset())._uid(mine, ours) is None:
                pytest.skip("this kernel does not tell")
            assert not LoopbackPeers().is_foreign(mine, ours)
            nobody_s = LoopbackPeers(own=frozenset({os.geteuid() + 1}))
            assert nobody_s.is_foreign(mine, ours)


def test_what_is_known_of_a_port_is_soon_looked_up_again(tables: list[pathlib.Path]) -> None:
    clock = Clock()
    peers = LoopbackPeers(tables=tables, own=frozenset({1000}), clock=clock)
    assert peers.is_foreign(("127.0.0.1", 50_000), OURS)
    tables[1].write_text(TCP.replace("1001", "1000"))

    assert peers.is_foreign(("127.0.0.1", 50_000), OURS)
    clock.now += 3
    assert not peers.is_foreign(("127.0.0.1", 50_000), OURS)
