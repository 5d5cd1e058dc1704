"""`codex-proapi backup` and `restore`: one encrypted file, from and into every kind of store."""

import asyncio
import os
import pathlib
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO

import rich_click as click

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.runtime.cipher import Cipher
from codex_proapi.console.cli.archive.file_format import MOST_LINE, Record, read, written
from codex_proapi.console.cli.archive.store_records import clear, is_empty, lasting_records, restore
from codex_proapi.console.cli.opened_store import opened

STDIO = "-"


@click.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.pass_obj
def backup_command(environ: Mapping[str, str], file: str) -> None:
    """Write accounts, API keys, usage, settings, log and audit to FILE (or - for standard output).

    Also while everything serves. The file is encrypted under the first of the ENCRYPTION_KEYS and
    useless without them: keep them elsewhere. Sessions, logins under way and stored responses are
    not in it.
    """
    count = asyncio.run(_backup(environ, file))
    click.echo(f"wrote {count} records; they open with ENCRYPTION_KEYS only", err=True)


@click.command("restore")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--keys",
    type=click.File("r"),
    help="File with the ENCRYPTION_KEYS of where it comes from, if they are others.",
)
@click.option("--force", is_flag=True, help="Delete what is there now, also accounts and API keys.")
@click.pass_obj
def restore_command(
    environ: Mapping[str, str], file: IO[bytes], keys: IO[str] | None, *, force: bool
) -> None:
    """Put a backup (FILE, or - for standard input) into this installation's store.

    The store may be of another kind than the one the backup is of: so one machine becomes a team's
    server. Accounts are encrypted again under the keys of this installation. Stop what used them
    before: a refresh token works once.
    """
    others = _keys_of(keys) if keys else []
    count, locked = asyncio.run(_restore(environ, _lines(file), others=others, force=force))
    print(f"restored {count} records")
    if locked:
        raise click.ClickException(
            f"{locked} accounts could not be opened with the keys given; sign them in again"
        )


async def _backup(environ: Mapping[str, str], file: str) -> int:
    async with opened(environ) as store:
        records = [record async for record in lasting_records(store.redis)]
        lines = written(records, cipher=store.cipher, now=time.time())
        _write(file, lines)
        await store.note("store.backed_up", after={"records": len(records)})
        return len(records)


async def _restore(
    environ: Mapping[str, str], lines: Iterable[bytes], *, others: Sequence[str], force: bool
) -> tuple[int, int]:
    async with opened(environ) as store:
        source = CredentialCipher([*others, *store.encryption_keys])
        records: list[Record] = read(lines, cipher=source)  # whole and readable, before any change
        if not force and not await is_empty(store.redis):
            raise click.ClickException(
                "there are accounts or API keys in this store already: nothing was changed."
                " --force deletes them and puts the backup in their place"
            )
        await clear(store.redis)
        locked = await restore(store.redis, records, source=source, target=store.cipher)
        await store.note("store.restored", after={"records": len(records)})
        return len(records), locked


def _keys_of(file: IO[str]) -> Sequence[str]:
    """The encryption keys in a file, as `ENCRYPTION_KEYS_FILE` has them."""
    keys = [key.strip() for key in file.read().split(",") if key.strip()]
    try:
        Cipher(keys)
    except ValueError:
        raise click.BadParameter("no file of encryption keys", param_hint="--keys") from None
    return keys


def _write(file: str, lines: Iterator[bytes]) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    if file == STDIO:
        for line in lines:
            sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
        return
    path = pathlib.Path(file)
    draft = path.with_name(f".{path.name}.part")
    try:
        descriptor = os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            for line in lines:
                out.write(line)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise click.ClickException(f"{file}: {error.strerror}") from None


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(MOST_LINE):
        yield line
