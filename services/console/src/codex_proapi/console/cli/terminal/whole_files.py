"""Files that are written whole or not at all."""

import os
import pathlib
from collections.abc import Iterable
from typing import IO

import rich_click as click


def write_whole(path: pathlib.Path, parts: Iterable[bytes]) -> None:
    """Write a file that only its owner can read; where it fails, what was there before stays.

    What is there and is no file (a pipe, a device) is written to, not replaced.

    Raises:
        click.ClickException: It cannot be written; says which file and why.
    """
    draft = path.with_name(f".{path.name}.part")
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as out:
                write_to(out, parts)
            return
        descriptor = os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            write_to(out, parts)
            os.fsync(out.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise click.ClickException(f"{path}: {error.strerror}") from None


def write_to(out: IO[bytes], parts: Iterable[bytes]) -> None:
    """Write every part, and what a buffer holds."""
    for part in parts:
        out.write(part)
    out.flush()
