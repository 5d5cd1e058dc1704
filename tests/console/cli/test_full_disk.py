"""A disk or a store that takes no more: one sentence, and what was there stays."""

import pathlib
import subprocess
import sys

from redis.asyncio import Redis

OLD = b"the backup of before"


def run(
    environ: dict[str, str], *arguments: str, blocks: str = "unlimited"
) -> subprocess.CompletedProcess[str]:
    """A command whose files may have so many blocks of 512 bytes."""
    limited = ("/bin/sh", "-c", f'ulimit -f {blocks}; exec "$0" "$@"')
    return subprocess.run(
        [*limited, sys.executable, "-m", "codex_proapi.console.cli", *arguments],
        env={**environ, "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_file_that_cannot_be_written_whole_leaves_the_one_before(
    environ: dict[str, str], tmp_path: pathlib.Path
) -> None:
    assert run(environ, "keys", "create", "laptop").returncode == 0
    for command, file in (("backup", "a"), ("doctor --bundle", "b")):
        path = tmp_path / file
        path.write_bytes(OLD)

        done = run(environ, *command.split(), str(path), blocks="0")

        assert done.returncode == 1, command
        assert done.stderr == f"codex-proapi: {path}: File too large\n"
        assert path.read_bytes() == OLD
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


async def test_a_store_that_takes_no_more_is_backed_up_all_the_same(
    environ: dict[str, str], redis_client: Redis, tmp_path: pathlib.Path
) -> None:
    assert run(environ, "keys", "create", "laptop").returncode == 0
    await redis_client.config_set("maxmemory", "1")
    try:
        done = run(environ, "backup", str(tmp_path / "file"))
        refused = run(environ, "keys", "create", "another")
    finally:
        await redis_client.config_set("maxmemory", "0")

    assert done.returncode == 0, done.stderr
    assert "so the audit does not know of this backup" in done.stderr
    assert run(environ, "restore", "--force", str(tmp_path / "file")).returncode == 0
    assert refused.returncode == 1
    assert "Its memory is full: raise maxmemory." in refused.stderr
