"""Redis as it is deployed: its settings, Sentinel's failover, backup and restore."""

import asyncio
import pathlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import cast

import pytest
import redis
from bench.marker import Marker
from bench.seed import seed
from deploy.live.clients import session, stream
from deploy.live.stage import Process, Stage
from deploy.toolbox import DEPLOY, ENVIRONMENT, output, tool
from support.free_ports import free_port

PASSWORD = "invented"
PATIENCE = 300
"""Seconds until what must come has come, on a busy machine."""
SENTINEL = DEPLOY / "k8s" / "components" / "sentinel"


def settings(folder: pathlib.Path) -> pathlib.Path:
    """deploy/redis/redis.conf with a folder and a password of ours."""
    auth = folder / "auth.conf"
    auth.write_text(f"requirepass {PASSWORD}\nmasterauth {PASSWORD}\n")
    text = (DEPLOY / "redis" / "redis.conf").read_text()
    text = text.replace("/run/secrets/redis/auth.conf", str(auth)).replace(
        "dir /data", f"dir {folder}"
    )
    path = folder / "redis.conf"
    path.write_text(text.replace("bind * -::*", "bind 127.0.0.1"))
    return path


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path


def server(folder: pathlib.Path, name: str = "redis", *arguments: str) -> Process:
    home = folder / name
    home.mkdir(exist_ok=True)
    port = free_port()
    command = [tool("redis-server"), str(settings(home)), "--port", str(port), *arguments]
    return Process(name, command, folder=home, port=port)


def client(of: Process) -> "redis.Redis":
    return redis.Redis(port=of.port, password=PASSWORD, decode_responses=True)


def begin(process: Process) -> None:
    """Start a server and wait until it has read its data."""
    process.start()
    process.until(lambda: pings(process), seconds=PATIENCE)


def pings(process: Process) -> bool:
    try:
        with client(process) as asking:
            return bool(asking.ping())
    except (redis.BusyLoadingError, redis.ConnectionError):
        return False


@pytest.mark.short
def test_the_settings_persist_and_ask_for_the_password(folder: pathlib.Path) -> None:
    one = server(folder)
    begin(one)
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=one.port).ping()
    client(one).set("kept", "yes")
    files = folder / "redis" / "appendonlydir"
    one.until(
        lambda: any(b"kept" in each.read_bytes() for each in files.iterdir()), seconds=PATIENCE
    )
    one.kill()
    begin(one)

    assert client(one).get("kept") == "yes"
    assert client(one).config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    one.end()


@pytest.mark.short
def test_a_backup_is_restored(folder: pathlib.Path) -> None:
    first = server(folder, "first")
    begin(first)
    for number in range(100):
        client(first).set(f"key:{number}", number)
    backup = folder / "backup.rdb"
    output("redis-cli", "-p", str(first.port), "-a", PASSWORD, "--rdb", backup)
    first.end()

    home = folder / "second"
    home.mkdir()
    said = output("sh", DEPLOY / "redis" / "restore.sh", backup, home)
    second = server(folder, "second")
    begin(second)

    assert said == "restored 100 keys\n"
    assert client(second).dbsize() == 100
    second.end()


@pytest.mark.short
def test_without_the_script_the_restore_would_be_empty(folder: pathlib.Path) -> None:
    """Why restore.sh exists: the planted fault."""
    first = server(folder, "first")
    begin(first)
    client(first).set("key", "value")
    backup = folder / "backup.rdb"
    output("redis-cli", "-p", str(first.port), "-a", PASSWORD, "--rdb", backup)
    first.end()

    home = folder / "second"
    home.mkdir()
    home.joinpath("dump.rdb").write_bytes(backup.read_bytes())
    second = server(folder, "second")
    begin(second)

    assert client(second).dbsize() == 0
    second.end()


@pytest.mark.short
def test_a_folder_with_data_is_not_overwritten(folder: pathlib.Path) -> None:
    folder.joinpath("dump.rdb").write_text("precious")

    done = subprocess.run(
        ["sh", DEPLOY / "redis" / "restore.sh", "/dev/null", folder],
        env=ENVIRONMENT,
        capture_output=True,
        check=False,
    )

    assert done.returncode == 1
    assert folder.joinpath("dump.rdb").read_text() == "precious"


class Group:
    """Three Redis and three Sentinels, started by the scripts of the Kubernetes component."""

    def __init__(self, folder: pathlib.Path) -> None:
        ports = [free_port() for _ in range(3)]
        guards = [free_port() for _ in range(3)]
        told = {
            "FIRST": f"127.0.0.1:{ports[0]}",
            "SENTINELS": " ".join(f"127.0.0.1:{guard}" for guard in guards),
            "DOWN_AFTER_MS": "1000",
            "FAILOVER_MS": "5000",
            "PATIENCE": "30",
        }
        self.servers, self.sentinels = [], []
        for number in range(3):
            home = folder / f"redis-{number}"
            home.mkdir()
            own = {
                **told,
                "SELF": f"127.0.0.1:{ports[number]}",
                "CONFIG": str(settings(home)),
                "AUTH": str(home / "auth.conf"),
                "DIR": str(home),
            }
            self.servers.append(
                Process(
                    f"redis-{number}",
                    ["sh", str(SENTINEL / "start-redis.sh")],
                    folder=home,
                    **{**own, "PORT": str(ports[number])},
                    port=ports[number],
                )
            )
            self.sentinels.append(
                Process(
                    f"sentinel-{number}",
                    ["sh", str(SENTINEL / "start-sentinel.sh")],
                    folder=home,
                    **{**own, "PORT": str(guards[number])},
                    port=guards[number],
                )
            )

    def told_to(self, server: Process) -> dict[str, str]:
        """What the scripts of one member are told."""
        guards = " ".join(guard.address for guard in self.sentinels)
        return {"SELF": server.address, "PORT": str(server.port), "SENTINELS": guards}

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{guard.port}" for guard in self.sentinels)
        return f"redis+sentinel://:{PASSWORD}@{hosts}/codex-proapi/0"

    def start(self) -> None:
        for each in self.sentinels:
            each.start()
        for each in self.servers:
            each.start()
        until(lambda: self.linked(self.primary()) == 2, "replicas in step")
        until(lambda: all(self.known(guard) == (2, 2) for guard in self.sentinels), "discovery")

    def end(self) -> None:
        for each in (*self.servers, *self.sentinels):
            each.kill()

    def primary(self) -> Process | None:
        """Who the first Sentinel that answers calls primary."""
        for guard in self.sentinels:
            try:
                answer = cast("list[str] | None", ask(guard, "get-master-addr-by-name"))
            except redis.ConnectionError:
                continue
            port = int(answer[1]) if answer else 0
            return next((s for s in self.servers if s.port == port), None)
        return None

    def linked(self, primary: Process | None) -> int:
        """Replicas a primary has."""
        return int(client(primary).info("replication")["connected_slaves"]) if primary else 0

    def known(self, guard: Process) -> tuple[int, int]:
        """Replicas and other Sentinels that one Sentinel knows."""
        replicas = cast("list[object]", ask(guard, "replicas"))
        others = cast("list[object]", ask(guard, "sentinels"))
        return len(replicas), len(others)


def ask(guard: Process, what: str) -> object:
    """Ask one Sentinel about the group."""
    asker = redis.Redis(port=guard.port, decode_responses=True)
    return asker.execute_command("SENTINEL", what, "codex-proapi")  # type: ignore[no-untyped-call]


def until(holds: Callable[[], object], what: str, seconds: float = PATIENCE) -> float:
    """Wait until something holds; running out of time is a failure, never a result."""
    began = time.monotonic()
    while True:
        try:
            if holds():
                return time.monotonic() - began
        except redis.RedisError:
            pass
        assert time.monotonic() - began < seconds, f"{what}: did not happen in {seconds} s"
        time.sleep(0.05)


@pytest.fixture
def group(tmp_path: pathlib.Path) -> Iterator[Group]:
    made = Group(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.end()


@pytest.fixture
def gateway(group: Group, tmp_path: pathlib.Path) -> Iterator[Process]:
    """A gateway whose Redis is the group."""
    with Stage(tmp_path) as stage:
        told = {"REDIS_URL": group.url, "ENCRYPTION_KEYS": seed(group.url)}
        made = stage.service("gateway", "gateway", **told)
        made.start(ready="/readyz")
        yield made


async def test_the_gateway_survives_the_loss_of_the_primary(group: Group, gateway: Process) -> None:
    lost = group.primary()
    assert lost is not None
    async with session() as http:
        url = f"http://{gateway.address}"
        assert (await stream(http, url, Marker(3, 5, 1))).unbroken
        lost.kill()
        began = time.monotonic()
        while not (await stream(http, url, Marker(3, 5, 1))).unbroken:
            assert time.monotonic() - began < PATIENCE, "no answer after the failover"
            await asyncio.sleep(0.1)
        waited = time.monotonic() - began

    print(f"\nserving again {waited:.1f} s after kill -9 of the primary")
    assert group.primary() is not lost


def test_a_primary_that_is_told_to_end_hands_over_first(group: Group) -> None:
    """So a rollout costs a moment, and not the time that Sentinels need to find it gone."""
    going = group.primary()
    assert going is not None
    client(going).set("before", "1")

    done = subprocess.run(
        ["sh", str(SENTINEL / "stop-redis.sh")],
        env={**ENVIRONMENT, **group.told_to(going), "REDISCLI_AUTH": PASSWORD},
        check=False,
    )

    assert done.returncode == 0
    heir = group.primary()
    assert heir not in {None, going}
    assert heir is not None
    until(lambda: client(heir).set("after", "1"), "writable")
    assert client(heir).get("before") == "1"
    until(lambda: client(going).info("replication")["role"] == "slave", "demotion")


def test_the_old_primary_comes_back_as_a_replica(group: Group) -> None:
    lost = group.primary()
    assert lost is not None
    client(lost).set("before", "1")
    until(lambda: client(lost).wait(1, 1000), "a replica that has it")
    lost.kill()
    until(lambda: group.primary() not in {None, lost}, "failover")
    heir = group.primary()
    assert heir is not None
    until(lambda: client(heir).set("after", "1"), "writable")

    lost.start()

    until(lambda: client(lost).info("replication")["role"] == "slave", "demotion")
    until(lambda: client(lost).get("after") == "1", "in step")
    assert client(heir).get("before") == "1"


def test_the_whole_group_remembers_who_was_primary(group: Group) -> None:
    lost = group.primary()
    assert lost is not None
    lost.kill()
    until(lambda: group.primary() not in {None, lost}, "failover")
    heir = group.primary()
    assert heir is not None
    until(lambda: client(heir).set("after", "1"), "writable")
    for each in (*group.servers, *group.sentinels):
        each.kill()

    group.start()

    until(lambda: client(group.primary() or heir).get("after") == "1", "data of the heir")


def test_an_isolated_primary_takes_no_writes(group: Group) -> None:
    primary = group.primary()
    assert primary is not None
    for each in group.servers:
        if each is not primary:
            each.signal(signal.SIGSTOP)
    try:
        until(lambda: _refuses(primary), "refusal of writes")
    finally:
        for each in group.servers:
            if each is not primary:
                each.signal(signal.SIGCONT)


def _refuses(primary: Process) -> bool:
    try:
        client(primary).set("alone", "1")
    except redis.exceptions.ResponseError as error:
        return "NOREPLICAS" in str(error)
    return False
