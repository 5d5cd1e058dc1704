import pathlib
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.fernet import Fernet

from codex_proapi.local.secret_files import (
    KEYS_FILE,
    FolderUnusable,
    encryption_keys,
    private_folder,
)


def mode_of(path: pathlib.Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_key_is_made_once_for_its_owner_only(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "new" / "data"

    key = encryption_keys(folder)

    assert Fernet(key)
    assert encryption_keys(folder) == key
    assert mode_of(folder) == 0o700
    assert mode_of(folder / KEYS_FILE) == 0o600
    assert [path.name for path in folder.iterdir()] == [KEYS_FILE]


def test_whoever_starts_at_once_has_the_same_key(tmp_path: pathlib.Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(lambda _: encryption_keys(tmp_path / "data"), range(32)))

    assert len(keys) == 1


def test_what_others_could_read_is_narrowed(tmp_path: pathlib.Path) -> None:
    encryption_keys(tmp_path)
    tmp_path.chmod(0o755)
    (tmp_path / KEYS_FILE).chmod(0o644)

    encryption_keys(tmp_path)

    assert mode_of(tmp_path) == 0o700
    assert mode_of(tmp_path / KEYS_FILE) == 0o600


def test_keys_of_an_operator_are_left_as_they_are(tmp_path: pathlib.Path) -> None:
    (tmp_path / KEYS_FILE).write_text("new,old\n")

    assert encryption_keys(tmp_path) == "new,old"


def test_a_file_in_the_way_is_explained(tmp_path: pathlib.Path) -> None:
    (tmp_path / "data").write_text("")

    with pytest.raises(FolderUnusable, match=r"cannot use .*data: File exists"):
        private_folder(tmp_path / "data")


def test_an_unreadable_key_is_explained(tmp_path: pathlib.Path) -> None:
    (tmp_path / KEYS_FILE).write_bytes(b"\xff\xfe")

    with pytest.raises(FolderUnusable, match="it is no text file"):
        encryption_keys(tmp_path)

    (tmp_path / KEYS_FILE).unlink()
    (tmp_path / KEYS_FILE).mkdir()
    with pytest.raises(FolderUnusable, match="Is a directory"):
        encryption_keys(tmp_path)


@pytest.mark.parametrize("mode", [0o755, 0o750])
def test_a_folder_with_other_files_stays_as_it_is(tmp_path: pathlib.Path, mode: int) -> None:
    (tmp_path / "pyproject.toml").touch()
    tmp_path.chmod(mode)

    for _ in range(2):
        assert encryption_keys(tmp_path)
    assert mode_of(tmp_path) == mode
    assert mode_of(tmp_path / KEYS_FILE) == 0o600
    assert mode_of(private_folder(tmp_path / "redis")) == 0o700


@pytest.mark.parametrize(("mode", "files"), [(0o1777, 0), (0o1777, 1), (0o777, 1), (0o775, 1)])
def test_a_folder_that_others_write_to_is_refused_with_a_cure(
    tmp_path: pathlib.Path, mode: int, files: int
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    for number in range(files):
        (shared / f"file-{number}").touch()
    shared.chmod(mode)

    with pytest.raises(FolderUnusable, match=r"others may write .* such as .*/shared/codex-proapi"):
        encryption_keys(shared)

    assert stat.S_IMODE(shared.stat().st_mode) == mode
    assert len(list(shared.iterdir())) == files
    assert encryption_keys(shared / "codex-proapi")


def test_an_empty_volume_that_everybody_may_write_to_is_narrowed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "lost+found").mkdir()
    tmp_path.chmod(0o777)

    assert encryption_keys(tmp_path)
    assert mode_of(tmp_path) == 0o700
