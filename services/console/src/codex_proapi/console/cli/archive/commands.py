"""`codex-proapi backup` and `restore`: one encrypted file, from and into every kind of store."""

import asyncio
import pathlib
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO

import rich_click as click

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.console.cli.archive.file_format import MOST_LINE, Record, read, written
from codex_proapi.console.cli.archive.replacement import (
    PATIENCE_SECONDS,
    fail_locked,
    keys_in,
    refuse_full,
    replace_contents,
    show_replaced,
)
from codex_proapi.console.cli.archive.store_records import lasting_records
from codex_proapi.console.cli.opened_store import opened
from codex_proapi.console.cli.terminal.json_output import json_option, print_json
from codex_proapi.console.cli.terminal.tables import counted
from codex_proapi.console.cli.terminal.whole_files import write_to, write_whole

STDIO = "-"
MOST_KEYS = 64 << 10
"""Bytes of a line of encryption keys."""


@click.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@json_option
@click.pass_obj
def backup_command(environ: Mapping[str, str], file: str, *, as_json: bool) -> None:
    """Write accounts, API keys, usage, settings, log and audit to FILE (or - for standard output).

    Also while everything serves. The file is encrypted under the first of the ENCRYPTION_KEYS and
    useless without them: keep them elsewhere. Sessions, logins under way and stored responses are
    not in it.
    """
    if as_json and file == STDIO:
        raise click.UsageError("--json needs a FILE: standard output is the backup")
    count = asyncio.run(_backup(environ, file))
    if as_json:
        return print_json({"file": file, "records": count})
    return click.echo(
        f"wrote {counted(count, 'record')}; they open with ENCRYPTION_KEYS only", err=True
    )


@click.command("restore")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--keys",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="File with the ENCRYPTION_KEYS of where it comes from, if they are others; - for the first"
    " line of standard input, before the backup.",
)
@click.option("--force", is_flag=True, help="Delete what is there now, also accounts and API keys.")
@json_option
@click.pass_obj
def restore_command(
    environ: Mapping[str, str], file: IO[bytes], keys: str | None, *, force: bool, as_json: bool
) -> None:
    """Put a backup (FILE, or - for standard input) into this installation's store.

    The store may be of another kind than the one the backup is of: so one machine becomes a team's
    server. Accounts are encrypted again under the keys of this installation. Stop what used them
    before: a refresh token works once. It takes place all at once, or not at all: whatever ends it
    on its way, nothing has changed, and it can be begun again.
    """
    others = keys_in(_read_keys(keys), option="--keys") if keys else []
    records, locked = asyncio.run(_restore(environ, _lines(file), others=others, force=force))
    show_replaced("restored", records, locked, as_json=as_json)
    fail_locked(locked)


async def _backup(environ: Mapping[str, str], file: str) -> int:
    async with opened(environ) as store:
        records = [record async for record in lasting_records(store.redis)]
        lines = written(records, cipher=store.cipher, now=time.time())
        _write(file, lines)
        try:
            await store.alerts.backed_up(int(time.time()))
            await store.note("store.backed_up", after={"records": len(records)})
        except StoreUnavailable as refused:  # a store whose disk is full is saved by this, too
            click.echo(f"note: {refused}, so the audit does not know of this backup", err=True)
        return len(records)


async def _restore(
    environ: Mapping[str, str], lines: Iterable[bytes], *, others: Sequence[str], force: bool
) -> tuple[Sequence[Record], int]:
    async with opened(environ, any_keys=force, patience=PATIENCE_SECONDS) as store:
        source = CredentialCipher([*others, *store.encryption_keys])
        records: list[Record] = read(lines, cipher=source)  # whole and readable, before any change
        if not force:
            await refuse_full(store)
        return records, await replace_contents(
            store, records, source=source, event="store.restored"
        )


def _read_keys(keys: str) -> str:
    """The content of a file of keys; of standard input, the first line: a backup may follow."""
    if keys == STDIO:
        return sys.stdin.buffer.readline(MOST_KEYS).decode("ascii", "replace")
    try:
        return pathlib.Path(keys).read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise click.ClickException(f"{keys}: {error.strerror}") from None


def _write(file: str, lines: Iterator[bytes]) -> None:
    if file == STDIO:
        write_to(sys.stdout.buffer, lines)
    else:
        write_whole(pathlib.Path(file), lines)


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(MOST_LINE):
        if line.strip():
            yield line
