"""Heads of requests and responses, as values: pure."""

import string
import urllib.parse
from collections.abc import Iterable, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Final, TypeAlias

import httptools
import msgspec

Header: TypeAlias = tuple[bytes, bytes]
"""Name in lower case, and value."""

CLOSE: Final = b"connection: close\r\n"
CHUNKED: Final = b"transfer-encoding: chunked\r\n"
BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
"""Statuses of responses without a body."""
REMEMBERED_URL: Final = 128
"""Length of URLs up to which it is remembered how they are read."""
_TOKEN: Final = b"!#$%&'*+-.^_`|~" + (string.digits + string.ascii_letters).encode()
"""What a header's name is made of."""
_CONTROLS: Final = bytes({*range(32), 127} - {9})
"""What no header's value holds: some of it would end the line, or the head."""


class _StatusLines(dict[int, bytes]):
    """First lines of responses by status."""

    def __missing__(self, status: int) -> bytes:
        return b"HTTP/1.1 %d \r\n" % status


STATUS_LINES: Final = _StatusLines(
    {each.value: f"HTTP/1.1 {each.value} {each.phrase}\r\n".encode() for each in HTTPStatus}
)


class HeadRefused(Exception):
    """A request's head exceeds a limit, or does not name one host."""


class RequestHead(msgspec.Struct, frozen=True):
    """What the head of a request says."""

    method: str
    path: str
    raw_path: bytes
    query: bytes
    http_version: str
    headers: list[Header]
    """Names in lower case."""
    client: tuple[str, int] | None
    """Address and port of the connection's other end."""
    expects_continue: bool = False
    """Whether the client waits for `100 Continue` before it sends the body."""


class Framing(msgspec.Struct, frozen=True):
    """What a response's headers say of its body and its connection."""

    chunked: bool | None
    """Whether it comes in chunks; None where the headers do not say how it ends."""
    length: int
    """Its bytes, if it is not chunked."""
    closes: bool
    """Whether the connection is closed behind it."""


def read_framing(headers: Iterable[Header]) -> Framing:
    """Read how a body is framed. Raises ValueError for a `content-length` that is no number."""
    chunked, length, closes = None, 0, False
    for name, value in headers:
        if name == b"content-length" and chunked is None:
            length, chunked = int(value), False
        elif name == b"transfer-encoding" and value.lower() == b"chunked":
            length, chunked = 0, True
        elif name == b"connection" and b"close" in value.lower():
            closes = True
    return Framing(chunked, length, closes)


def header_lines(headers: Sequence[Header]) -> bytes:
    """The lines of headers in a head. Raises ValueError for what cannot stand in a header."""
    if not headers:
        return b""
    names, values = zip(*headers, strict=True)
    told = b"".join(values)
    strange = b"".join(names).translate(None, _TOKEN)
    if strange or b"" in names or len(told.translate(None, _CONTROLS)) != len(told):
        raise ValueError("a response header holds what no header may hold")
    return b"\r\n".join([*map(b": ".join, headers), b""])  # a third of what formatting takes


def framed_lines(headers: Sequence[Header]) -> tuple[Framing, bytes]:
    """How headers frame a body, and their lines. Raises what `read_framing` and `header_lines` raise."""
    return read_framing(headers), header_lines(headers)


remembered_lines = lru_cache(maxsize=64)(framed_lines)
"""The same for a tuple of headers that many responses have."""


def read_head(
    method: bytes, url: bytes, version: str, headers: list[Header], client: tuple[str, int] | None
) -> RequestHead:
    """Read a request's head. Raises HeadRefused, and HttpParserError for what is no URL.

    It must have one `host`, even an empty one (RFC 9112, 3.2); HTTP/1.0 needs none, and some health
    checkers send none.
    """
    hosts, expects_continue = 0, False
    for name, value in headers:
        if name == b"host":
            hosts += 1
        elif name == b"expect" and value.lower() == b"100-continue":
            expects_continue = True
    if hosts != 1 and (hosts or version != "1.0"):
        raise HeadRefused
    path, raw_path, query = _remembered(url) if len(url) <= REMEMBERED_URL else _parsed(url)
    return RequestHead(
        method.decode("ascii"), path, raw_path, query, version, headers, client, expects_continue
    )


def _parsed(url: bytes) -> tuple[str, bytes, bytes]:
    """Path, the path as it was sent, and query."""
    parts = httptools.parse_url(url)
    path = parts.path.decode("ascii")
    return urllib.parse.unquote(path) if "%" in path else path, parts.path, parts.query or b""


_remembered = lru_cache(maxsize=64)(_parsed)
