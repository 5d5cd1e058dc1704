"""Generated secrets in files that only their owner can read."""

import errno
import os
import pathlib
import secrets
import stat

from cryptography.fernet import Fernet

from codex_proapi.commons.runtime.errors import CommonsError

KEYS_FILE = "encryption_keys"
"""Comma-separated Fernet keys; the first one encrypts. Losing it means signing in again."""

LEAST_ROOM = 1 << 20
"""Bytes that a disk must have free for a start: the store could not write a word of what it is told."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_WRITING = stat.S_IWGRP | stat.S_IWOTH
_OURS = {KEYS_FILE, "redis", "s", "appendonlydir", "owner.lock", "store.lock", "lost+found"}


class FolderUnusable(CommonsError):
    """The data directory cannot be made, read or written; the message says which and why."""


def private_folder(path: pathlib.Path) -> pathlib.Path:
    """Make a folder only its owner can enter; one of ours with wider permissions is narrowed.

    A folder that holds other files is left as it is: everybody who needs them would be locked out.
    Raises FolderUnusable for one of these that others may write to, as `/tmp`.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = path.stat().st_mode
        if not mode & _OTHERS:
            return path
        if not mode & stat.S_ISVTX and all(map(_is_ours, path.iterdir())):
            path.chmod(0o700)
        elif mode & _WRITING:
            raise FolderUnusable(
                f"cannot use {path}: others may write to it, and it is not ours alone. Set DATA_DIR"
                f" to a folder of its own, such as {path / 'codex-proapi'}"
            )
    except PermissionError as error:
        raise FolderUnusable(
            f"cannot use {path}: {error.strerror}. It must belong to the user that runs this, whose"
            f" number is {os.getuid()} (`chown {os.getuid()} {path}`, or `docker run --user`)."
        ) from None
    except OSError as error:
        raise FolderUnusable(f"cannot use {path}: {error.strerror}") from None
    return path


def _is_ours(path: pathlib.Path) -> bool:
    """Whether a file is one that we make in a data directory, or that a file system has there."""
    drafts = (f".{KEYS_FILE}.", ".room.", "redis.")
    return path.name in _OURS or path.name.startswith(drafts)


def refuse_full_disk(folder: pathlib.Path) -> None:
    """Raise FolderUnusable where the folder's disk takes no more: full, read-only, or a quota."""
    draft = private_folder(folder) / f".room.{secrets.token_hex(4)}"
    try:
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            if os.write(descriptor, bytes(LEAST_ROOM)) < LEAST_ROOM:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
            draft.unlink()
    except OSError as error:
        raise FolderUnusable(
            f"cannot write to {folder}: {error.strerror}. Nothing was begun: make room, or set"
            " DATA_DIR to another folder (`codex-proapi backup FILE` still works, to another disk)."
        ) from None


def encryption_keys(folder: pathlib.Path) -> str:
    """The encryption keys of this data directory, generated once by the first process."""
    path = private_folder(folder) / KEYS_FILE
    try:
        if not path.exists():
            _create(path, Fernet.generate_key().decode() + "\n")
        if stat.S_IMODE(path.stat().st_mode) & _OTHERS:
            path.chmod(0o600)
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text file"
        raise FolderUnusable(f"cannot use {path}: {reason}") from None


def _create(path: pathlib.Path, text: str) -> None:
    """Write a file atomically unless it exists; the loser of a race leaves the winner's."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)
