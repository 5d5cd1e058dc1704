r"""JSON with lone surrogates, which msgspec refuses and some backends write.

A backend that cuts its text between UTF-16 units sends half an emoji as `\\ud83d` in one delta and
the other half in the next. The halves are kept as they are: put together they are whole again.
"""

import json
import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

T = TypeVar("T")

DECODE_ERRORS: Final = (ValueError, RecursionError)
"""What decoding raises on bytes that cannot be read: bad JSON, bad UTF-8, endless nesting."""

_encode: Final = msgspec.json.Encoder().encode
_ESCAPES: Final = re.compile(
    rb"\\\\|(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
"""A backslash that escapes itself, a pair of surrogates, or (second group) half a pair."""


def reader(shape: type[T]) -> Callable[[bytes | msgspec.Raw], T]:
    """A decoder of one shape; it raises one of DECODE_ERRORS."""
    decode = msgspec.json.Decoder(shape).decode

    def read(data: bytes | msgspec.Raw) -> T:
        try:
            return decode(data)
        except ValueError:
            whole = bytes(data)
            if not any(half for _, half in _ESCAPES.findall(whole)):
                raise
        try:
            return msgspec.convert(json.loads(whole), shape)
        except msgspec.ValidationError:
            # A shape with raw parts cannot hold half a pair.
            return decode(without_lone_surrogates(whole))

    return read


def without_lone_surrogates(data: bytes) -> bytes:
    """Give JSON with U+FFFD for every escape that is half of a surrogate pair."""
    return _ESCAPES.sub(_whole_only, data)


def _whole_only(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if escape[2] else escape[0]


read_any: Final = reader(object)


def write(value: Any) -> bytes:
    """JSON of a value; text with lone surrogates is written as it was read."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()
