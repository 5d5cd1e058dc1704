"""Cuts what a server sends into whole frames; the payload of ordinary text frames comes at once. Pure.

Events are text frames in one piece, and there are many of them: they are read here, at a twentieth of
what the library takes. Everything else, and whatever breaks the protocol, is handed to the library,
which answers it: control frames, fragments, reserved bits, masked or oversized frames.
"""

from typing import Final

WHOLE_TEXT: Final = 0x81
"""First byte of an unfragmented text frame without extensions."""
_TEXT: Final = 0x01
_LAST_FRAGMENT: Final = 0x80
_MASKED: Final = 0x80
_HEAD: Final = 2
_LONG: Final = {126: 2, 127: 8}
"""Bytes of the length that follows, where the first says so."""


class FrameSplitter:
    """The frames of one direction.

    Args:
        most: bytes of a payload from which on a frame is the library's.
    """

    __slots__ = ("_broken", "_fragmented", "_most", "_rest", "_wanted")

    def __init__(self, most: int) -> None:
        self._most = most
        self._rest = bytearray()
        self._wanted = _HEAD
        self._fragmented = self._broken = False

    def __repr__(self) -> str:
        return f"<FrameSplitter with {len(self._rest)} bytes>"

    def feed(self, data: bytes) -> list[tuple[bool, bytes]]:
        """The frames that are whole now: whether it is the payload of a text frame, and the bytes.

        Where that is False, they are for the library: a frame with its head, or the rest of a broken stream.
        """
        if self._broken:
            return [(False, data)]
        if self._rest:
            self._rest += data
            if len(self._rest) < self._wanted:
                return []
            data = bytes(self._rest)
        elif len(data) < _HEAD:
            self._rest += data
            self._wanted = _HEAD
            return []
        found, at = self._cut(data)
        if at < len(data):
            self._rest = bytearray(data[at:])
        elif self._rest:
            self._rest = bytearray()
        return found

    def _cut(self, data: bytes) -> tuple[list[tuple[bool, bytes]], int]:
        """The whole frames of these bytes, and where the rest begins."""
        found: list[tuple[bool, bytes]] = []
        at, length = 0, len(data)
        self._wanted = _HEAD
        while length - at >= _HEAD:
            first, size = data[at], data[at + 1]
            start, masked = at + _HEAD, size & _MASKED
            if size in _LONG:
                start += _LONG[size]
                if length < start:
                    self._wanted = start - at
                    break
                size = int.from_bytes(data[at + _HEAD : start], "big")
            if masked or size > self._most:
                self._broken = True
                found.append((False, data[at:]))
                return found, length
            end = start + size
            if end > length:
                self._wanted = end - at
                break
            if first == WHOLE_TEXT and not self._fragmented:
                found.append((True, data[start:end]))
            else:
                self._follow(first)
                found.append((False, data[at:end]))
            at = end
        return found, at

    def _follow(self, first: int) -> None:
        """Note whether a message of several frames is under way."""
        if first == _TEXT:
            self._fragmented = True
        elif first == _LAST_FRAGMENT:
            self._fragmented = False
