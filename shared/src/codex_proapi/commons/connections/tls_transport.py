"""TLS of one outgoing connection, over a transport that is open: our own, for what it holds in memory.

uvloop's takes a buffer of 256 KiB for each connection, of which as much stays as one read has ever
filled, and another copy of what a read took: 190 KiB for a client that reads slowly. Here all
connections share one buffer for what they read, and nothing more is read while anything waits to be
decrypted. All cryptography, certificates and names included, is OpenSSL's, through `ssl`.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Iterable
from typing import Any, ClassVar, Final

READ_BYTES: Final = 8 * 1024
"""Most encrypted bytes of one read; OpenSSL's copy of them keeps its largest size."""
RECORD_BYTES: Final = 8 * 1024
"""Most bytes of a record that is sent, for the same reason."""


class TlsTransport(asyncio.BufferedProtocol, asyncio.Transport):
    """The protocol of an open connection, and the transport of what speaks inside its TLS.

    An end of the connection without TLS' own is told as a loss, never as an end of the data.

    Args:
        protocol: speaks inside; its `connection_made` is called when the handshake is done.
        context: the TLS context of a client.
        server_hostname: the name that the certificate must have.
    """

    __slots__ = (
        *("_closing", "_incoming", "_opened", "_outgoing", "_paused"),
        *("_protocol", "_tls", "_transport"),
    )
    _ciphertext: ClassVar = memoryview(bytearray(READ_BYTES))
    _plaintext: ClassVar = memoryview(bytearray(2 * READ_BYTES))
    """Where a protocol without a buffer of its own has its bytes decrypted."""

    def __init__(
        self,
        protocol: asyncio.BaseProtocol,
        context: ssl.SSLContext,
        *,
        server_hostname: str,
    ) -> None:
        self._protocol: Any = protocol  # of either kind
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=server_hostname
        )
        self._transport: asyncio.Transport | None = None
        self._opened: asyncio.Future[None] | None = asyncio.get_running_loop().create_future()
        self._closing = self._paused = False

    def __repr__(self) -> str:
        state = "closing" if self._closing else "opening" if self._opened else "open"
        return f"<TlsTransport of {self._protocol!r}, {state}>"

    async def opened(self) -> None:
        """Wait for the end of the handshake.

        Raises:
            ssl.SSLError: the peer's certificate is refused, or it speaks no TLS.
            ConnectionError: the connection ended.
        """
        if self._opened is not None:
            await self._opened

    # What the connection calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the connection is open; begin the handshake."""
        self._transport = transport  # type: ignore[assignment]  # a stream's, by its maker
        self._handshake()

    def get_buffer(self, sizehint: int) -> memoryview:
        """asyncio: where the next read goes."""
        del sizehint
        return self._ciphertext

    def buffer_updated(self, nbytes: int) -> None:
        """asyncio: encrypted bytes have come."""
        self._incoming.write(self._ciphertext[:nbytes])
        if self._opened is not None:
            self._handshake()
        elif not self._closing:
            self._decrypt()

    def eof_received(self) -> bool:
        """asyncio: the connection ends; without TLS' own end it was cut."""
        self._closing = True
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection has ended."""
        self._closing, self._transport = True, None
        if self._opened is None:
            self._protocol.connection_lost(exc)
        elif not self._opened.done():
            self._opened.set_exception(exc or ConnectionResetError())

    def pause_writing(self) -> None:
        """asyncio: the connection has taken enough."""
        if self._opened is None:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """asyncio: the connection takes more."""
        if self._opened is None:
            self._protocol.resume_writing()

    # What is inside.

    def _handshake(self) -> None:
        opened = self._opened
        if opened is None or opened.done():
            return
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except ssl.SSLError as error:
            self._flush()  # an alert tells the peer why
            opened.set_exception(error)
            self.close()
            return
        self._flush()
        self._opened = None
        opened.set_result(None)
        self._protocol.connection_made(self)
        self._decrypt()

    def _decrypt(self) -> None:
        """Give the protocol what has come whole."""
        try:
            while not (self._paused or self._closing) and self._decrypt_piece():
                pass
        except ssl.SSLError:
            self._flush()  # an alert
            self.abort()
            return
        self._flush()  # what TLS itself had to answer

    def _decrypt_piece(self) -> bool:
        """Give the protocol all that has come, in one piece; True if it did not fit into one."""
        protocol, read, incoming = self._protocol, self._tls.read, self._incoming
        buffered = isinstance(protocol, asyncio.BufferedProtocol)
        view = buffer = protocol.get_buffer(-1) if buffered else self._plaintext
        size, room, ended = 0, len(buffer), False
        # A read that does not fill the buffer has emptied its record; asking once more would raise,
        # which costs as much as the read.
        try:
            while not ended:
                count = int(read(room - size, view))  # a number, although its type says bytes
                size, ended = size + count, not count
                if size == room or not incoming.pending:
                    break
                view = buffer[size:]
        except ssl.SSLWantReadError:
            pass  # the rest of a record is still to come
        if size and buffered:
            protocol.buffer_updated(size)
        elif size:
            protocol.data_received(bytes(buffer[:size]))
        if ended:
            self._end()
        return size == room

    def _end(self) -> None:
        """The peer has ended TLS."""
        if not self._closing:
            self._protocol.eof_received()
            self.close()

    def _flush(self) -> None:
        if self._outgoing.pending and self._transport is not None:
            self._transport.write(self._outgoing.read())

    # What the protocol calls.

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Have another protocol speak inside."""
        self._protocol = protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the connection knows, and `ssl_object`."""
        if name == "ssl_object":
            return self._tls
        return default if self._transport is None else self._transport.get_extra_info(name, default)

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._closing or self._transport is None

    def is_reading(self) -> bool:
        """Whether the protocol is given what comes."""
        return not (self._paused or self.is_closing())

    def pause_reading(self) -> None:
        """Read nothing more from the connection, and decrypt nothing."""
        if self._transport is not None and not (self._paused or self._closing):
            self._paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on, in a turn of its own: first with what waits to be decrypted."""
        if self._paused:
            self._paused = False
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._decrypt()
        if self._transport is not None and not (self._paused or self._closing):
            self._transport.resume_reading()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send."""
        if self._closing:
            return
        view = data if len(data) <= RECORD_BYTES else memoryview(data)
        try:
            for start in range(0, len(data), RECORD_BYTES):
                self._tls.write(view[start : start + RECORD_BYTES])
                self._flush()
        except ssl.SSLError:
            self.abort()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Encrypt and send in one piece."""
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        """TLS cannot end one direction alone."""
        return False

    def get_write_buffer_size(self) -> int:
        """Bytes that wait to be sent."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Bound what waits to be sent, encrypted."""
        if self._transport is not None:
            self._transport.set_write_buffer_limits(high, low)

    def close(self) -> None:
        """End TLS, and close behind what was written."""
        if self._closing or self._transport is None:
            return
        self._closing = True
        if self._opened is None:
            with contextlib.suppress(ssl.SSLError):  # nobody waits for the peer's end
                self._tls.unwrap()
            self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._closing = True
        if self._transport is not None:
            self._transport.abort()
