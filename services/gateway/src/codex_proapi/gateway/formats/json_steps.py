"""Decodes large JSON in steps: one call of a decoder keeps the interpreter's lock until it ends.

A body of 60 MiB took one call 70 to 180 ms, in which no other request of the process went on, though
a thread decoded it. Here a list or an object is first cut into its values, which costs a fifth of
decoding them (35 ms for 60 MiB at most); the values are then decoded some at a time, and a long string
piece by piece. The result is what one call gives; a test compares them.
"""

import re
from typing import Any, Final

import msgspec

STEP_BYTES: Final = 2 * 1024 * 1024
"""Bytes of JSON that are decoded in one call; what is no longer than this is decoded at once."""

STEPPED_LEVELS: Final = 8
"""Levels of nesting in which long values are cut: a body's text is four levels deep. Each level looks
through all of a long value once more."""
BLANKS: Final = 256
"""Bytes in which a value's first character is looked for; behind more blanks it is decoded at once."""

_VALUE: Final = msgspec.json.Decoder()
_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_BETWEEN_CHARACTERS: Final = re.compile(
    rb"(?:[^\\]{12}|[^\\](?:\\\\)*\\[bfnrt/\"])(?=[^\x80-\xbf])", re.DOTALL
)
r"""Ends where neither a character nor an escape is cut: behind twelve bytes without a backslash, as an
escape (`\ud83d\ude00` at most) has ended before them, or behind an escape of one letter.
"""
_LOOKED_THROUGH: Final = 64 * 1024
"""Bytes behind the end of a step in which a place to cut a string is looked for."""


def decode(raw: bytes | msgspec.Raw, *, levels: int = STEPPED_LEVELS) -> Any:
    """Decode one JSON value, in steps if it is long.

    Args:
        raw: the value.
        levels: in how many levels of nesting long values are cut; deeper ones are decoded at once.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError, RecursionError: it cannot be decoded.
    """
    view = memoryview(raw)
    if len(view) <= STEP_BYTES or not levels:
        return _VALUE.decode(raw)
    match bytes(view[:BLANKS]).lstrip()[:1]:
        case b"[":
            return _decoded_list(_ITEMS.decode(raw), levels - 1)
        case b"{":
            fields = _FIELDS.decode(raw).items()
            return {name: decode(value, levels=levels - 1) for name, value in fields}
        case b'"' if bytes(view[:1]) == bytes(view[-1:]) == b'"':
            return _decoded_string(view)
    return _VALUE.decode(raw)


def _decoded_list(items: list[msgspec.Raw], levels: int) -> list[Any]:
    """Decode the items of a list: short ones together, up to STEP_BYTES in a call."""
    decoded: list[Any] = []
    together: list[msgspec.Raw] = []
    size = 0
    for item in items:
        length = len(memoryview(item))
        if size + length > STEP_BYTES and together:
            decoded += _decoded_together(together)
            together, size = [], 0
        if length > STEP_BYTES:
            decoded.append(decode(item, levels=levels))
            continue
        together.append(item)
        size += length
    decoded += _decoded_together(together)
    return decoded


def _decoded_together(items: list[msgspec.Raw]) -> list[Any]:
    decoded: list[Any] = _VALUE.decode(b"[%b]" % b",".join(items))
    return decoded


def _decoded_string(quoted: memoryview) -> str:
    """Decode a string, STEP_BYTES in a call, cut between characters and outside of escapes."""
    pieces: list[str] = []
    start, end = 1, len(quoted) - 1
    while start < end:
        cut = _cut(quoted, start + STEP_BYTES, end)
        pieces.append(_VALUE.decode(b"".join((b'"', quoted[start:cut], b'"'))))
        start = cut
    return "".join(pieces)


def _cut(quoted: memoryview, at: int, end: int) -> int:
    """A place to cut a string, at `at` or soon behind it; `end` if there is none.

    Text of nothing but escaped backslashes or surrogates has none, and is decoded in one call.
    """
    if at >= end:
        return end
    found = _BETWEEN_CHARACTERS.search(quoted, at - 12, min(at + _LOOKED_THROUGH, end))
    return found.end() if found else end
