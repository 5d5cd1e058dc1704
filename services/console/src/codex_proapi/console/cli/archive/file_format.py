"""The file of a backup: a line that says what it is, then encrypted batches of records.

    {"codex_proapi_backup": 1, "schema": 1, "created_at": 1795000000}
    <Fernet token of gzipped JSON: {"number": 0, "records": [...]}>
    …
    <Fernet token: {"number": 7, "records": [], "total": 3412}>

The last batch has the number of all records, so that a file that was cut is not taken for a whole
one. Values are as Redis has them, not in the form of one version's RDB: every Redis and Valkey from
7 on reads what any other has written.
"""

import gzip
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from codex_proapi.commons.cluster.schema import SCHEMA
from codex_proapi.commons.runtime.cipher import Cipher
from codex_proapi.commons.runtime.errors import CommonsError

FORMAT = 1
LEAST_FORMAT = 1
"""The oldest form that can be read."""
BATCH = 500
"""Records of one batch."""
MOST_LINE = 64 << 20
"""Bytes of one line; a longer one is none of ours."""


class BadArchive(CommonsError):
    """The file is no backup that can be read; the message says why."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line, readable without a key."""

    codex_proapi_backup: int
    """Version of the file's format."""
    schema: int
    """Version of the stored forms."""
    created_at: int
    """Seconds since the epoch."""


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One key of Redis, or a part of a long stream."""

    name: str
    """Without the tag that all our keys share."""
    kind: str
    """`string`, `hash`, `set`, `zset` or `stream`."""
    value: Any
    milliseconds: int = 0
    """How long it has to live; 0 is for ever."""


class _Batch(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    records: list[Record]
    total: int | None = None


def written(records: Iterable[Record], *, cipher: Cipher, now: float) -> Iterator[bytes]:
    """The lines of a file, each with its line end."""
    header = Header(codex_proapi_backup=FORMAT, schema=SCHEMA, created_at=int(now))
    yield msgspec.json.encode(header) + b"\n"
    number = total = 0
    batch: list[Record] = []
    for record in records:
        batch.append(record)
        total += 1
        if len(batch) == BATCH:
            yield _sealed(_Batch(number=number, records=batch), cipher)
            number, batch = number + 1, []
    yield _sealed(_Batch(number=number, records=batch, total=total), cipher)


def read(lines: Iterable[bytes], *, cipher: Cipher) -> list[Record]:
    """All records of a file; raises BadArchive."""
    ours = iter(lines)
    _check_header(next(ours, b""))
    records: list[Record] = []
    for number, line in enumerate(ours):
        batch = _opened(line, cipher)
        if batch.number != number:
            raise BadArchive("the backup is damaged: parts of it are missing or not in their order")
        records += batch.records
        if batch.total is not None:
            if batch.total != len(records):
                raise BadArchive("the backup is damaged: records of it are missing")
            return records
    raise BadArchive("the backup is not whole: its end is missing")


def _check_header(line: bytes) -> None:
    try:
        header = msgspec.json.decode(line, type=Header)
    except msgspec.DecodeError:
        raise BadArchive("that is no backup of Codex Pro API") from None
    if header.codex_proapi_backup > FORMAT or header.schema > SCHEMA:
        raise BadArchive("the backup was made by a newer version: upgrade before restoring it")
    if header.codex_proapi_backup < LEAST_FORMAT or header.schema < 1:
        raise BadArchive(
            "the backup has a form that this version does not read any more: restore it with the"
            " version that wrote it, upgrade that, and make a new backup"
        )


def _sealed(batch: _Batch, cipher: Cipher) -> bytes:
    return cipher.seal_bytes(gzip.compress(msgspec.json.encode(batch), 6)) + b"\n"


def _opened(line: bytes, cipher: Cipher) -> _Batch:
    plain = cipher.open_bytes(line.strip())
    if plain is None:
        raise BadArchive(
            "none of the encryption keys opens the backup, or it is damaged: give the keys of the"
            " installation it was made from with --keys"
        )
    try:
        return msgspec.json.decode(gzip.decompress(plain), type=_Batch)
    except (msgspec.DecodeError, OSError, EOFError):
        raise BadArchive("the backup is damaged") from None
