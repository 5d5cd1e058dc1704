"""Reads a client's frames: `response.create` becomes what a POST to /v1/responses would hold. Pure.

Shapes as sent by the Codex CLI 0.171: the body of the POST with `type`, on a first frame
`generate: false`, on later ones `previous_response_id` with the new items only; headers that differ
from turn to turn stand in `client_metadata`.
"""

import codecs
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from codex_proapi.commons.codex.minimal_request import LITE_HEADER
from codex_proapi.commons.runtime.lenient_json import without_lone_surrogates
from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.codex.requests import FORWARDED_HEADERS
from codex_proapi.gateway.translation.request.translated_request import SUBAGENT_HEADER

CREATE: Final = "response.create"
MESSAGE_BYTES: Final = 15 * 1024 * 1024
"""Most bytes of a client's message, which the handshake announces: the backend takes some 16 MiB."""
HEADER_PREFIX: Final = "ws_request_header_"
"""Begins the names in `client_metadata` that stand for a header of the request."""
SOCKET_ONLY: Final = frozenset({"type", "generate", "stream", "stream_id", "previous_response_id"})
"""Fields of a frame that a POST's body does not take over."""
PEEKED_BYTES: Final = 1024 * 1024
"""Bytes up to which a frame's type is read before its turn: less than a millisecond."""
_OF_SOCKETS: Final = ("ws_request_header_", "x-codex-ws-")
_HEADERS: Final = frozenset((*FORWARDED_HEADERS, LITE_HEADER, SUBAGENT_HEADER))
_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_NULL: Final = b"null"


class _Typed(msgspec.Struct):
    type: str | None = None


_PEEK: Final = msgspec.json.Decoder(_Typed)


class CreateFrame(msgspec.Struct, frozen=True, kw_only=True):
    """One `response.create`."""

    fields: dict[str, bytes]
    """The fields of the POST's body as JSON, without `input` and `stream`."""
    unlisted: bytes | None
    """`input` as JSON if no items can be made of it, which the POST's reader will refuse; else None."""
    items: tuple[bytes, ...] = ()
    """The items of `input`, as JSON."""
    generate: bool = True
    """Whether an answer is wanted; False prepares the connection."""
    previous: str = ""
    """`previous_response_id`; empty for none."""
    headers: Mapping[str, str] = {}
    """Headers of this turn, by lower-case name; they replace those of the handshake."""

    def body(self, before: Iterable[bytes] = (), *, previous: str = "") -> bytes:
        """The body of the POST that asks for the same.

        Args:
            before: items that stand before those of the frame.
            previous: a stored response to continue; empty for none.
        """
        items = (
            b"[%b]" % b",".join((*before, *self.items)) if self.unlisted is None else self.unlisted
        )
        pairs = list(self.fields.items())
        if previous:
            pairs.append(("previous_response_id", msgspec.json.encode(previous)))
        pairs += [("input", items), ("stream", b"true")]
        return b"{%b}" % b",".join(b"%b:%b" % (_text(name), value) for name, value in pairs)


def is_ignored(data: bytes) -> bool:
    """Whether a frame is certainly of a type that is not acted on; a large one is not looked at."""
    if len(data) > PEEKED_BYTES:
        return False
    try:
        return _PEEK.decode(data).type not in (None, CREATE)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def read_frame(data: bytes) -> CreateFrame | None:
    """Read a text frame; None for a type that is not acted on, which is to be ignored.

    Raises:
        BadRequest: it is no JSON object, or a field has a type that nothing can be made of.
    """
    try:
        found = _fields_of(data)
        kind = _value(found, "type")
        if kind is None:
            raise BadRequest("'type' is required", param="type")
        if kind != CREATE:
            return None
        previous = _value(found, "previous_response_id")
        if previous is not None and not isinstance(previous, str):
            raise BadRequest(
                "'previous_response_id' must be a string", param="previous_response_id"
            )
        unlisted = found.pop("input", _NULL)
        items = _items_of(unlisted)
        metadata = _value(found, "client_metadata")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("The frame is not a JSON object", param="body") from None
    generate = found.get("generate", b"true") != b"false"
    headers = _headers_of(metadata)
    if isinstance(metadata, dict):
        kept = {name: value for name, value in metadata.items() if not _is_sockets(name)}
        found["client_metadata"] = msgspec.json.encode(kept)
    return CreateFrame(
        fields={name: value for name, value in found.items() if name not in SOCKET_ONLY},
        unlisted=unlisted if items is None else None,
        items=items or (),
        generate=generate,
        previous=previous or "",
        headers=headers,
    )


def _fields_of(data: bytes) -> dict[str, bytes]:
    """The fields of a frame; half emojis are replaced, as in the body of a POST."""
    try:
        found = _FIELDS.decode(data)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        found = _FIELDS.decode(without_lone_surrogates(data.removeprefix(codecs.BOM_UTF8)))
    return {name: bytes(value) for name, value in found.items()}


def _items_of(unlisted: bytes) -> tuple[bytes, ...] | None:
    """The items of `input`, which may be a list, a text or nothing; None for anything else."""
    if unlisted == _NULL:
        return ()
    if unlisted[:1] == b'"':
        return (b'{"type":"message","role":"user","content":%b}' % unlisted,)
    return tuple(bytes(item) for item in _ITEMS.decode(unlisted)) if unlisted[:1] == b"[" else None


def _value(fields: Mapping[str, bytes], name: str) -> Any:
    return msgspec.json.decode(fields[name]) if name in fields else None


def _headers_of(metadata: object) -> dict[str, str]:
    """The headers that a turn's metadata stands for."""
    found = {}
    for name, value in metadata.items() if isinstance(metadata, dict) else ():
        header = str(name).removeprefix(HEADER_PREFIX).lower().replace("_", "-")
        if (
            header in _HEADERS
            and isinstance(value, str)
            and value.isascii()
            and value.isprintable()
        ):
            found[header] = value
    return found


def _is_sockets(name: str) -> bool:
    return name.startswith(_OF_SOCKETS)


def _text(name: str) -> bytes:
    return json.dumps(name).encode()
