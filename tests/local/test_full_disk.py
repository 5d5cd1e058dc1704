"""A folder that takes nothing: one sentence, nothing begun. A limit on the size of files stands for a full disk."""

import os
import pathlib
import subprocess
import sys

import pytest

from codex_proapi.local.secret_files import FolderUnusable, refuse_full_disk

AS_ANOTHER = """
import os, pathlib, sys
from codex_proapi.local.secret_files import private_folder
os.setuid(4242)
private_folder(pathlib.Path(sys.argv[1]))
"""
LIMITED = ("/bin/sh", "-c", 'ulimit -f 8; exec "$0" "$@"')


def test_a_disk_with_room_is_left_as_it_was(tmp_path: pathlib.Path) -> None:
    refuse_full_disk(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_serving_is_refused_before_anything_is_begun(tmp_path: pathlib.Path) -> None:
    done = subprocess.run(
        [*LIMITED, sys.executable, "-m", "codex_proapi.local", "serve"],
        env={
            "DATA_DIR": str(tmp_path / "data"),
            "PORT": "0",
            "PATH": "/usr/bin:/bin",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.startswith(
        f"codex-proapi: cannot write to {tmp_path}/data: No space left on device."
    )
    assert done.stderr.count("\n") == 1
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["encryption_keys"]


def test_a_write_of_a_part_is_none(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk with a little room takes the first bytes, and says so by their number alone."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:4096]))

    with pytest.raises(FolderUnusable, match="No space left on device"):
        refuse_full_disk(tmp_path)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_a_folder_of_somebody_else_names_who_must_have_it(tmp_path: pathlib.Path) -> None:
    """As of a container whose folder was made by root."""
    done = subprocess.run(
        [sys.executable, "-c", AS_ANOTHER, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert f"cannot use {tmp_path}: " in done.stderr
    assert f"chown 4242 {tmp_path}" in done.stderr
