"""What deploy/redis/restore.sh leaves behind, whether it succeeds or not."""

import os
import pathlib
import subprocess

from deploy.live.stage import Process
from deploy.toolbox import DEPLOY, output, run, tool
from support.free_ports import free_port

SCRIPT = DEPLOY / "redis" / "restore.sh"


def a_backup(folder: pathlib.Path) -> pathlib.Path:
    """An RDB file with one key, of the same Redis that restores it."""
    port = free_port()
    command = [tool("redis-server"), "--port", str(port), "--save", "", "--dir", str(folder)]
    server = Process("redis", command, folder=folder, port=port)
    server.start()
    output("redis-cli", "-p", str(port), "set", "a", "1")
    output("redis-cli", "-p", str(port), "--rdb", folder / "backup.rdb")
    server.end()
    return folder / "backup.rdb"


def test_a_backup_is_restored_for_the_owner_of_the_folder(tmp_path: pathlib.Path) -> None:
    backup = a_backup(tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    if os.getuid() == 0:
        os.chown(data, 999, 999)

    said = output("sh", SCRIPT, backup, "data", cwd=tmp_path)

    assert "restored 1 keys" in said
    found = {path.name for path in data.iterdir()}
    assert found == {"dump.rdb", "appendonlydir"}
    assert {path.stat().st_uid for path in data.rglob("*")} == {data.stat().st_uid}


def test_a_failure_leaves_no_server_and_an_empty_folder(tmp_path: pathlib.Path) -> None:
    tmp_path.joinpath("bad.rdb").write_bytes(b"REDIS0011" + b"nonsense" * 100)
    data = tmp_path / "data"
    data.mkdir()

    done = run("sh", SCRIPT, tmp_path / "bad.rdb", data)

    assert done.returncode != 0
    assert list(data.iterdir()) == []
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(data) not in running.stdout
