"""Encodes large JSON values in pieces: one call of an encoder keeps the interpreter's lock until it ends.

A body of 60 MiB took one call 40 to 120 ms, in which the process did nothing else. Joined, the pieces
are what one call gives; a test compares them.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

PIECE_BYTES: Final = 1024 * 1024
"""Bytes of values that are encoded in one call, which takes a millisecond."""
_ENCODE: Final = msgspec.json.Encoder().encode
_LEAF_BYTES: Final = 8
"""What a number, a brace or the name of a field is reckoned at."""


def encoded_pieces(value: Any) -> Iterator[bytes]:
    """The JSON of a value in pieces, the large ones of some PIECE_BYTES.

    Raises:
        RecursionError: it is nested too deeply.
    """
    if not value or _weight(value, PIECE_BYTES) < PIECE_BYTES:
        yield _ENCODE(value)
    elif isinstance(value, str):
        yield from _string(value)
    elif isinstance(value, Mapping):
        yield from _object(value)
    elif isinstance(value, list | tuple):
        yield from _list(value)
    else:
        yield _ENCODE(value)


def _weight(value: Any, left: int) -> int:
    """About how many bytes a value's JSON has; counts no further than `left`."""
    kind = type(value)
    if kind is str or kind is bytes:
        return len(value)
    if kind is dict:
        total = _LEAF_BYTES * len(value)
        for each in value.values():
            if total >= left:
                return total
            total += _weight(each, left - total)
        return total
    if kind is list or kind is tuple:
        total = _LEAF_BYTES
        for each in value:
            if total >= left:
                return total
            total += _weight(each, left - total)
        return total
    return len(bytes(value)) if kind is msgspec.Raw else _LEAF_BYTES


def _string(value: str) -> Iterator[bytes]:
    """A string in slices: each character is escaped by itself."""
    yield b'"'
    for start in range(0, len(value), PIECE_BYTES):
        yield _ENCODE(value[start : start + PIECE_BYTES])[1:-1]
    yield b'"'


def _object(value: Mapping[str, Any]) -> Iterator[bytes]:
    opening = b"{"
    for name, each in value.items():
        yield b"%b%b:" % (opening, _ENCODE(name))
        yield from encoded_pieces(each)
        opening = b","
    yield b"}"


def _list(values: list[Any] | tuple[Any, ...]) -> Iterator[bytes]:
    """A list: runs of small elements are encoded together, each large one in pieces of its own."""
    run: list[Any] = []
    opening, size = b"[", 0
    for each in values:
        weight = _weight(each, PIECE_BYTES)
        if run and size + weight >= PIECE_BYTES:
            yield opening + _ENCODE(run)[1:-1]
            opening, run, size = b",", [], 0
        if weight < PIECE_BYTES:
            run.append(each)
            size += weight
            continue
        yield opening
        yield from encoded_pieces(each)
        opening = b","
    yield opening + _ENCODE(run)[1:-1] + b"]" if run else b"]"
