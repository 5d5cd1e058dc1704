"""One connection of the HTTP client, used for one response after another.

One read of the socket is one parse, one wake-up and one piece of bytes.
"""

import asyncio
import time
from collections.abc import Callable
from functools import lru_cache
from itertools import repeat
from typing import Final, Protocol

import httptools

from codex_proapi.gateway.upstream.http_response import (
    ConnectionLost,
    HttpResponse,
    StaleConnection,
)
from codex_proapi.gateway.upstream.request_body import PIECE_BYTES, RequestBody, Upload
from codex_proapi.gateway.upstream.transport import CopyingReceiver

STALE_SECONDS: Final = 1.0
"""Seconds after sending in which the end of a kept connection makes it a stale one."""
EVENT_AND_CHUNK: Final = b"\n\n\r\n"
"""The end of an event, then that of a chunk."""
MANY_BYTES: Final = 2 * 1024
"""Bytes from which a read is many events: a delta has a few hundred."""


@lru_cache(maxsize=256)
def _header_name(name: bytes) -> str:
    """A header's name in lower case; the backend's responses have the same twenty."""
    return name.decode("latin-1").lower()


class ConnectionOwner(Protocol):
    """The client that a connection belongs to."""

    def answered(self, answer: HttpResponse) -> None:
        """The first head has come over a new connection."""

    def keep(self, connection: "HttpConnection") -> None:
        """It is free for the next request."""

    def ending(self, connection: "HttpConnection") -> None:
        """Its answer is whole, the last chunk is still to come."""

    def forget(self, connection: "HttpConnection") -> None:
        """It is gone."""


class HttpConnection(asyncio.Protocol):
    """One connection, used for one response after another.

    What one read takes, and so what waits for a client that reads slowly, is bounded by the
    system's buffer: `commons.connections.dialer.RECEIVE_BYTES`.
    """

    def __init__(
        self, client: "ConnectionOwner", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._clock = clock
        self.made_at = time.monotonic()
        """When it was made, monotonic seconds."""
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        # Its parser calls these for every chunk and every header: methods of built-in types cost least.
        self._pieces: list[bytes] = []
        self.on_body = self._pieces.append
        self._fields: dict[bytes, bytes] = {}
        self.on_header = self._fields.__setitem__
        self._answer: HttpResponse | None = None
        self._copying: Callable[[bytes], None] | None = None
        """What takes reads as they come, past the parser."""
        self._upload: Upload | None = None
        self.paused = False
        """Whether nothing is read from it."""
        self._received = False
        self._sent_at = 0.0
        self.fresh = True
        """Whether nothing was answered over it yet, nor was it kept."""
        self.idle_beats = 0
        """Seconds it has been idle."""

    def __repr__(self) -> str:
        return f"<HttpConnection {'idle' if self._answer is None else 'busy'}>"

    @property
    def alive(self) -> bool:
        """Whether another request may be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, head: bytes, body: bytes | RequestBody) -> HttpResponse:
        """Send a request; a long one as fast as the connection takes it."""
        answer = self._answer = HttpResponse(self, self._pieces)
        self._received = False
        self._sent_at = self._clock()
        if self._transport is None:
            answer.end(self._fault())  # it ended before anything was sent
        elif isinstance(body, bytes) and len(body) <= PIECE_BYTES:
            self._transport.writelines((head, body))
        else:
            self._transport.write(head)
            parts = RequestBody([body]) if isinstance(body, bytes) else body
            self._upload = Upload(self._transport, parts)
        return answer

    def pause_writing(self) -> None:
        """asyncio: the connection has taken enough of a request."""
        if self._upload is not None:
            self._upload.pause()

    def resume_writing(self) -> None:
        """asyncio: the connection takes more."""
        if self._upload is not None:
            self._upload.resume()

    def pause(self) -> None:
        """Pause reading until `resume`."""
        if not self.paused and self._transport is not None:
            self.paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Resume reading: all received bytes were consumed."""
        if self.paused and self._transport is not None:
            self.paused = False
            self._transport.resume_reading()

    def abort(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def ending(self) -> None:
        """The answer is whole, its last chunk is still to come."""
        self._client.ending(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the connection is open."""
        self._transport = transport  # type: ignore[assignment]  # a stream's, by its maker
        self._parser = httptools.HttpResponseParser(self)  # refers to this one: until it is lost

    def data_received(self, data: bytes) -> None:
        """asyncio: parse received bytes, and wake the reader once.

        While a receiver copies reads, an attribute of this name hides the method.
        """
        answer = self._answer
        if len(data) > MANY_BYTES and answer and isinstance(answer.receiver, CopyingReceiver):
            self._parse_many(data)
        else:
            self._parse(data)

    def _have_copied(self, copying: Callable[[bytes], None]) -> None:
        """Give reads to `copying` as they come; the parser stands where a chunk begins."""
        if self._transport is not None:
            self._copying = copying
            self.data_received = copying  # type: ignore[assignment, method-assign]
            self._transport.set_protocol(self)  # uvloop keeps the method it found

    def _parse_again(self, data: bytes = b"") -> None:
        """Parse these bytes, and the reads that follow: copying has ended."""
        if self._copying is not None:
            self._copying = None
            del self.data_received
            if self._transport is not None:
                self._transport.set_protocol(self)
        if data:
            self._parse(data)

    def _parse_many(self, data: bytes) -> None:
        """Parse only what a read of many events begins with, within a chunk, if the rest is copied."""
        end = data.find(EVENT_AND_CHUNK) + len(EVENT_AND_CHUNK)
        if end < len(EVENT_AND_CHUNK) or end == len(data):
            self._parse(data)
            return
        self._parse(data[:end], more=True)
        # If the rest is not copied after all, it is parsed in one piece.
        (self._copying or self._parse)(data[end:])

    def _parse(self, data: bytes, *, more: bool = False) -> None:
        """Parse bytes, wake the reader; `more` is whether others of the same read follow."""
        answer, parser = self._answer, self._parser
        if answer is None or parser is None:
            self.abort()  # no request is under way
            return
        self._received = True
        try:
            parser.feed_data(data)
            if self.fresh and answer.status:
                self.fresh = False
                self._client.answered(answer)
            pieces, receiver = answer.pieces, answer.receiver
            at_border = bool(pieces) and _at_border(data, pieces[-1])
            if receiver is not None and len(pieces) == 1:
                # One chunk a read, as most are: `fed`, in place.
                answer.framing = 0
                too_much = not receiver.received(pieces.pop())
            else:
                too_much = answer.fed(len(data))
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, ConnectionLost):
            if answer.pieces and answer.receiver is not None:
                answer.fed(
                    0
                )  # what stands before the fault is sound, and may be the end of the answer
            self.abort()
            return
        if answer.complete:
            self._give_back(answer)
        elif too_much:
            self.pause()
        elif at_border and isinstance(receiver, CopyingReceiver):
            copying = receiver.copying(self._parse_again, more=more)
            if copying is not None:
                self._have_copied(copying)

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Parser callback: a response begins, the final one or a 1xx before it."""
        answer = self._answer
        if answer is None or answer.status:
            # Bytes of a second response would otherwise be read as the end of this one.
            raise ConnectionLost("more answers than requests")
        self._fields.clear()  # of a 1xx, or the trailers of the answer before

    def on_headers_complete(self) -> None:
        """Parser callback: the head is complete; a head of 1xx is dropped."""
        answer, parser, fields = self._answer, self._parser, self._fields
        if answer is None or parser is None:
            return
        status = parser.get_status_code()
        if status < 200:  # noqa: PLR2004 - HTTP's own border
            return
        answer.status = status
        # Read here: after the last byte the parser has reset this response's flags.
        answer.keep_alive = parser.should_keep_alive()
        names, values = map(_header_name, fields), map(str, fields.values(), repeat("latin-1"))
        answer.headers = headers = dict(zip(names, values, strict=True))
        chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        answer.until_close = not chunked and "content-length" not in headers
        on_head, answer.on_head = answer.on_head, None
        if on_head is not None:
            on_head()

    def on_message_complete(self) -> None:
        """Parser callback: the response is complete; a 1xx is none."""
        answer = self._answer
        if answer is not None:
            answer.complete = answer.status > 0

    # What asyncio calls.

    def eof_received(self) -> bool:
        """asyncio: the peer has closed its side; close ours."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection has ended; ends the response under way."""
        del exc
        self._transport = None
        self._parse_again()
        if self._upload is not None:
            self._end_upload(self._upload)
        answer, self._answer, self._parser = self._answer, None, None
        if answer is not None:
            answer.end(self._fault())
        self._client.forget(self)

    def _fault(self) -> type[ConnectionLost]:
        """What the end of the connection is to the answer under way."""
        soon = self._clock() - self._sent_at <= STALE_SECONDS
        stale = soon and not self.fresh and not self._received
        return StaleConnection if stale else ConnectionLost

    def _give_back(self, answer: HttpResponse) -> None:
        self._answer = None
        if self._pieces:  # for who reads them; the parser goes on with this list
            answer.pieces = self._pieces.copy()
            self._pieces.clear()
        if self.paused:
            self.resume()
        # A response may come before its request is sent; the rest would be parsed as another one.
        whole = self._upload is None or self._end_upload(self._upload)
        transport = self._transport
        if (
            transport is None
            or transport.is_closing()
            or not whole
            or not answer.keep_alive
            or transport.get_write_buffer_size()
        ):
            self.abort()
        else:
            self._client.keep(self)
        answer.end()

    def _end_upload(self, upload: Upload) -> bool:
        """Send nothing more of a request; whether all of it was sent."""
        self._upload = None
        upload.stop()
        return upload.done


def _at_border(data: bytes, last: bytes) -> bool:
    """Whether a read that was parsed has ended with a chunk, and the chunk with an event.

    `last` is the last piece of the body in it. As it ends with the blank line, the CR LF behind is no
    part of the body; and as lines of the framing end in CR LF, the LF before is no part of these.
    So the CR LF is that behind a chunk.
    """
    return data.endswith(EVENT_AND_CHUNK) and last.endswith(b"\n\n")
