"""The scripts of the Sentinel component that ask a Redis whether it is ready."""

import subprocess

from deploy.toolbox import ENVIRONMENT
from support.free_ports import free_port
from support.redis_server import RedisServer
from support.tree import ROOT

SCRIPTS = ROOT / "deploy" / "k8s" / "components" / "sentinel"


def ran(script: str, port: int, **environ: str) -> int:
    """Exit code of a script about the server on a port."""
    environment = {**ENVIRONMENT, "PORT": str(port), **environ}
    command = ["sh", str(SCRIPTS / script)]
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode


def server(port: int, *arguments: str) -> RedisServer:
    return RedisServer("--port", str(port), *arguments)


NOBODY = {"SENTINELS": "127.0.0.1:1", "SELF": "127.0.0.1:2"}


def test_a_primary_is_ready_and_a_replica_without_its_primary_is_not() -> None:
    primary, replica = free_port(), free_port()
    with server(primary), server(replica, "--replicaof", "127.0.0.1 1"):
        assert ran("ready-redis.sh", primary) == 0
        assert ran("ready-redis.sh", replica) == 1


def test_a_redis_that_is_gone_is_not_ready() -> None:
    assert ran("ready-redis.sh", free_port()) != 0


def test_a_replica_hands_nothing_over_and_a_primary_ends_without_sentinels() -> None:
    primary, replica = free_port(), free_port()
    with server(primary), server(replica, "--replicaof", "127.0.0.1 1"):
        assert ran("stop-redis.sh", replica, **NOBODY) == 0
        assert ran("stop-redis.sh", primary, **NOBODY) == 0
