"""Turns a POST's request into a frame, and frames into the event stream a POST would give. Pure."""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from codex_proapi.commons.codex.minimal_request import LITE_HEADER
from codex_proapi.gateway.errors import Malformed

BETA_HEADER: Final = "openai-beta"
BETA: Final = "responses_websockets=2026-02-06"
"""What the Codex CLI 0.171 sends with its handshake, and only there."""
LITE_KEY: Final = "ws_request_header_x_openai_internal_codex_responses_lite"
"""Stands in a frame's `client_metadata` in place of the header of a POST."""
_OF_POSTS: Final = frozenset(
    {"content-type", "content-encoding", "content-length", "accept", LITE_HEADER}
)
_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_METADATA: Final = msgspec.json.Decoder(dict[str, str])
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


def create_frame(body: bytes, headers: Mapping[str, str]) -> bytes:
    """The `response.create` that asks for the same as a POST.

    Args:
        body: the POST's JSON.
        headers: the POST's headers: what differs from turn to turn stands in the frame instead.
    """
    if headers.get(LITE_HEADER) != "true":
        return b'{"type":"response.create",%b' % body[1:]
    fields = _FIELDS.decode(body)
    metadata = _METADATA.decode(fields.get("client_metadata", msgspec.Raw(b"{}")))
    metadata[LITE_KEY] = "true"
    fields["client_metadata"] = msgspec.Raw(msgspec.json.encode(metadata))
    return b'{"type":"response.create",%b' % msgspec.json.encode(fields)[1:]


def as_event(data: bytes) -> tuple[bytes, bytes]:
    """The type of a frame, and its block of an event stream. Raises Malformed if it has no type."""
    name = data[len(_TYPE) : data.find(b'"', len(_TYPE))] if data.startswith(_TYPE) else b""
    if not _NAME.fullmatch(name):
        name = _type_of(data)
    if b"\n" in data or b"\r" in data:
        # Line breaks stand between the values of JSON only, and would end the line.
        data = data.replace(b"\r", b" ").replace(b"\n", b" ")
    return name, b"event: %b\ndata: %b\n\n" % (name, data)


def _type_of(data: bytes) -> bytes:
    try:
        name = msgspec.json.decode(data, type=_Typed).type.encode()
    except (msgspec.DecodeError, UnicodeError):
        name = b""
    if not _NAME.fullmatch(name):
        raise Malformed("A frame of the backend cannot be read.")
    return name
