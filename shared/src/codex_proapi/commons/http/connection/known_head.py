"""Heads that repeat: a client sends the same one with each of its requests, but for the body's length.

The parser reads a head once for each connection. A request that begins with the same bytes means the
same, so it is recognised by comparing them. What this is to a parser is what HPACK's table is to
HTTP/2. Nothing is taken for a head here that the parser has not read before on the same connection.
"""

from typing import Any, Final

import msgspec

from codex_proapi.commons.http.connection.heads import Header, RequestHead

MOST_BYTES: Final = 2048
"""Most bytes of a head that is remembered, as each connection has one."""
MOST_HEADERS: Final = 32
"""Most headers of a head that is remembered."""
MOST_DIGITS: Final = 9
"""Most digits of a body's length; a gigabyte is more than any body may have."""
LENGTH: Final = b"content-length"
REFUSED: Final = frozenset((b"transfer-encoding", b"upgrade", b"expect"))
"""Headers of requests that more is done for than to count the bytes of their bodies."""


class KnownHead(msgspec.Struct, eq=False):
    """A head of HTTP/1.1 with a body's length that the parser has read, and after which it went on."""

    before: bytes
    """Its bytes up to the length."""
    behind: bytes
    """Its bytes from the length on."""
    head: RequestHead
    """What it says, with the length that it had when it was read."""
    index: int
    """Which of its headers is the length."""
    handling: Any = None
    """What a direct handler has made of it, for the requests that follow; the handler's alone."""

    def __repr__(self) -> str:
        return f"<KnownHead of {len(self.before) + len(self.behind)} bytes>"

    def read(self, data: bytes) -> tuple[bytes, int] | None:
        """Read a request that begins with `before`.

        Gives the length of its body, as it is written, and where that begins; None for another head.
        """
        start = len(self.before)
        end = data.find(b"\r", start, start + MOST_DIGITS + 1)
        length = data[start:end] if end > 0 else b""
        if not length.isdigit() or not data.startswith(self.behind, end):
            return None
        return length, end + len(self.behind)

    def headers(self, length: bytes) -> list[Header]:
        """The headers of a request whose body has this length."""
        headers = self.head.headers.copy()
        headers[self.index] = (LENGTH, length)
        return headers


def known_head(data: bytes, url: bytes, head: RequestHead) -> KnownHead | None:
    """What to remember of a head that the parser has read; None where it may not repeat.

    The bytes must be those that the head would be written with, but for the case of its names. So
    there is no doubt where it ends, and none of it was left out, joined or trimmed.

    Args:
        data: bytes of a connection, from the beginning of a request on.
        url: the request's target.
        head: what the parser has told of it.
    """
    headers, end = head.headers, data.find(b"\r\n\r\n", 0, MOST_BYTES)
    if head.method != "POST" or head.http_version != "1.1" or len(headers) > MOST_HEADERS:
        return None
    names = [name for name, _ in headers]
    if names.count(LENGTH) != 1 or not REFUSED.isdisjoint(names) or end < 0:
        return None
    first, *lines = data[:end].split(b"\r\n")
    if first != b"POST %b HTTP/1.1" % url or len(lines) != len(headers):
        return None
    for line, (name, value) in zip(lines, headers, strict=True):
        if line[: len(name)].lower() != name or line[len(name) :] != b": " + value:
            return None
    index = names.index(LENGTH)
    before = b"\r\n".join([first, *lines[:index], lines[index][: len(LENGTH) + 2]])
    behind = len(before) + len(headers[index][1])
    # The list of the request that is under way is its handler's, which may clear it.
    kept = msgspec.structs.replace(head, headers=headers.copy())
    return KnownHead(before, data[behind : end + 4], kept, index)
