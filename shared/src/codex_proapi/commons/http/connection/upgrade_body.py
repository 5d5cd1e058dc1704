"""The body of a request that offers an upgrade: the parser stops before it, so a second one reads it."""

from collections.abc import Callable, Iterable
from typing import Final

import httptools

FRAMING: Final = frozenset((b"content-length", b"transfer-encoding"))
"""Headers that say where a body ends."""


class UpgradeBody:
    """Reads one body, whole or chunked; what follows it is dropped.

    Args:
        headers: headers of the request, names in lower case.
        take: called with each piece of the body.
    """

    def __init__(
        self, headers: Iterable[tuple[bytes, bytes]], take: Callable[[bytes], None]
    ) -> None:
        self.complete = False
        """Whether the body has ended."""
        self._take = take
        self._parser = httptools.HttpRequestParser(self)
        lines = [b"%s: %s\r\n" % header for header in headers if header[0] in FRAMING]
        self.feed(b"POST / HTTP/1.1\r\n%s\r\n" % b"".join(lines))

    def __repr__(self) -> str:
        return f"<UpgradeBody {'complete' if self.complete else 'under way'}>"

    def feed(self, data: bytes) -> None:
        """Take bytes of the connection. Raises HttpParserError if they are no body."""
        if self.complete:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # offered by a request behind the body: dropped like everything there
        except httptools.HttpParserError:
            if not self.complete:
                raise

    # What the parser calls.

    def on_body(self, piece: bytes) -> None:
        """Pass on a piece of the body."""
        if not self.complete:
            self._take(piece)

    def on_message_complete(self) -> None:
        """End the body."""
        self.complete = True
