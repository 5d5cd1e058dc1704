r"""JSON decoding and encoding that keeps lone surrogates, which msgspec refuses.

A backend that cuts text between UTF-16 code units sends half an emoji as `\ud83d` in one delta and
the other half in the next. Each half is kept as it is, so that joining the deltas restores the
character.
"""

import json
import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

T = TypeVar("T")

DECODE_ERRORS: Final = (ValueError, RecursionError)
"""What decoding raises on bytes that cannot be read: bad JSON, bad UTF-8, too deep nesting."""

_encode: Final = msgspec.json.Encoder().encode
_SURROGATES: Final = re.compile(
    rb"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(\\u[dD][c-fC-F][0-9a-fA-F]{2})?|[c-fC-F][0-9a-fA-F]{2})"
)
"""An escape of a surrogate, with the second half of its pair (the group) where there is one.

Nothing but surrogates is looked at closely: a body may hold millions of other backslashes.
"""
_ESCAPE_LENGTH: Final = 6
_REPLACEMENT: Final = rb"\ufffd"
_BACKSLASHES_AT_ONCE: Final = 4096
MOST_REPLACED: Final = 10_000
"""Most escapes that are replaced: text that was cut holds few, and millions would take seconds."""


def reader(shape: type[T]) -> Callable[[bytes | msgspec.Raw], T]:
    """A decoder of one type; it raises one of DECODE_ERRORS."""
    decode = msgspec.json.Decoder(shape).decode

    def read(data: bytes | msgspec.Raw) -> T:
        try:
            return decode(data)
        except ValueError:
            whole = bytes(data)
            if without_lone_surrogates(whole) == whole:
                raise
        try:
            return msgspec.convert(json.loads(whole), shape)
        except msgspec.ValidationError:
            # A shape with raw parts cannot hold half a pair.
            return decode(without_lone_surrogates(whole))

    return read


def without_lone_surrogates(data: bytes) -> bytes:
    """Replace every escape that is half of a surrogate pair by U+FFFD, the first MOST_REPLACED of them.

    Takes no more memory than one copy of the data, however many escapes it holds.
    """
    mended = bytearray()
    copied = replaced = 0
    for found in _SURROGATES.finditer(data):
        # The text of an escape is none; what follows it, its pair otherwise, is then a half alone.
        escaped = _is_escaped(data, found.start())
        if bool(found[1]) != escaped:
            continue
        start = found.start() + (_ESCAPE_LENGTH if escaped else 0)
        mended += data[copied:start]
        mended += _REPLACEMENT
        copied = start + _ESCAPE_LENGTH
        replaced += 1
        if replaced == MOST_REPLACED:
            break
    return bytes(mended + data[copied:]) if replaced else data


def _is_escaped(data: bytes, at: int) -> bool:
    """Whether the backslash at a place is itself escaped: an odd number of them stands before it."""
    if data[at - 1 : at] != b"\\":
        return False
    end = at
    while True:
        piece = data[max(0, end - _BACKSLASHES_AT_ONCE) : end]
        rest = len(piece.rstrip(b"\\"))
        end -= len(piece) - rest
        if rest or not piece:
            return (at - end) % 2 == 1


read_any: Final = reader(object)


def write(value: Any) -> bytes:
    """Encode a value as JSON; text with lone surrogates is written as it was read.

    Parts of it may be undecoded (`msgspec.Raw`).
    """
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), default=read_any).encode()
