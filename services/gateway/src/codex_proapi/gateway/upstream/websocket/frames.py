"""Turns a POST's request into a frame, and frames into the event stream a POST would give. Pure."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from codex_proapi.commons.codex.minimal_request import BETA, BETA_HEADER, LITE_HEADER, LITE_KEY
from codex_proapi.gateway.errors import Malformed

_OF_POSTS: Final = frozenset(
    {"content-type", "content-encoding", "content-length", "accept", LITE_HEADER}
)
_METADATA: Final = "client_metadata"
_OF_TURNS: Final = frozenset({"input", _METADATA})
"""Fields that are not settings."""
_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_STRINGS: Final = msgspec.json.Decoder(dict[str, str])
_TYPE: Final = b'{"type":"'
_NAME: Final = re.compile(rb"[A-Za-z0-9_.]{1,128}")


class _Typed(msgspec.Struct):
    type: str = ""


def handshake_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of a handshake, from those of a POST. Raises ValueError for a line break."""
    found = {name: value for name, value in headers.items() if name.lower() not in _OF_POSTS}
    found[BETA_HEADER] = BETA
    if any("\n" in text or "\r" in text for pair in found.items() for text in pair):
        raise ValueError("a header holds a line break")
    return found


class CreateRequest:
    """A POST's request, as frames can be made of it.

    Args:
        body: the POST's JSON.
        headers: the POST's headers: what differs from turn to turn stands in the frame instead.
    """

    def __init__(self, body: bytes, headers: Mapping[str, str]) -> None:
        self._body = body
        self._lite = headers.get(LITE_HEADER) == "true"
        self._fields: dict[str, msgspec.Raw] | None = None

    def __repr__(self) -> str:
        return f"<CreateRequest of {len(self._body)} bytes>"

    @property
    def items(self) -> memoryview:
        """The JSON of `input`, without its brackets; empty if it is no list."""
        listed = memoryview(self._split().get("input", msgspec.Raw(b"[]")))
        return listed[1:-1] if listed[:1].tobytes() == b"[" else listed[:0]

    def settings(self) -> bytes:
        """A digest of everything that the answer depends on, but `input`."""
        kept = [
            pair
            for name, value in self._split().items()
            if name not in _OF_TURNS
            for pair in (name.encode(), value)
        ]
        return hashlib.sha256(b"\0".join(kept)).digest()

    def whole(self) -> bytes:
        """The frame with the whole input."""
        if not self._lite:
            return b'{"type":"response.create",%b' % self._body[1:]
        return self._frame(self._split().items())

    def continued(self, previous: str, items: Sequence[msgspec.Raw]) -> bytes:
        """The frame with nothing but new items.

        Args:
            previous: id of the response that they follow.
            items: JSON of the items.
        """
        fields: dict[str, Any] = {**self._split(), "input": items}
        return self._frame([("previous_response_id", previous), *fields.items()])

    def _frame(self, fields: Iterable[tuple[str, Any]]) -> bytes:
        found = {"type": "response.create", **dict(fields)}
        if self._lite:
            metadata = _STRINGS.decode(found.get(_METADATA, b"{}"))
            found[_METADATA] = {**metadata, LITE_KEY: "true"}
        return msgspec.json.encode(found)

    def _split(self) -> dict[str, msgspec.Raw]:
        if self._fields is None:
            self._fields = _FIELDS.decode(self._body)
        return self._fields


def as_event(data: bytes) -> tuple[bytes, tuple[bytes, bytes, bytes]]:
    """The type of a frame, and its block of an event stream in pieces.

    Raises Malformed if it has no type.
    """
    name = data[len(_TYPE) : data.find(b'"', len(_TYPE))] if data.startswith(_TYPE) else b""
    if not _NAME.fullmatch(name):
        name = _type_of(data)
    if b"\n" in data or b"\r" in data:
        # Line breaks stand between the values of JSON only, and would end the line.
        data = data.replace(b"\r", b" ").replace(b"\n", b" ")
    return name, (b"event: %b\ndata: " % name, data, b"\n\n")


def _type_of(data: bytes) -> bytes:
    try:
        name = msgspec.json.decode(data, type=_Typed).type.encode()
    except (msgspec.DecodeError, UnicodeError):
        name = b""
    if not _NAME.fullmatch(name):
        raise Malformed("A frame of the backend cannot be read.")
    return name
