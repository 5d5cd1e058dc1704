"""Reads `multipart/form-data`, in which SDKs send pictures to be edited."""

import base64
import io
import re
from typing import Any, Final

import msgspec
from multipart import MultipartError, MultipartParser  # type: ignore[import-untyped]

from codex_proapi.gateway.errors import BadRequest

MOST_PARTS: Final = 64
"""Most parts of a body."""
MOST_TEXT_BYTES: Final = 256 * 1024
"""Most bytes of a text field."""
_BOUNDARY: Final = re.compile(rb"(?:\r?\n)*--([0-9A-Za-z'()+_,./:=? -]{1,70})\r?\n")
_INDEX: Final = re.compile(r"\[\d{0,4}\]$")
_MEDIA_TYPE: Final = re.compile(r"image/[a-z0-9.+-]{1,32}")


class Form(msgspec.Struct, frozen=True):
    """A decoded body."""

    fields: dict[str, str]
    """Text fields by name; of several the last."""
    pictures: dict[str, list[str]]
    """Files as data: URLs by field, in order; `image[]` counts as `image`."""


def boundary_of(body: bytes) -> str | None:
    """The boundary that a body begins with, after blank lines; None if it is no multipart body."""
    found = _BOUNDARY.match(body)
    return found[1].decode() if found else None


def read_form(body: bytes, boundary: str) -> Form:
    """Decode a body. Raises BadRequest."""
    fields: dict[str, str] = {}
    pictures: dict[str, list[str]] = {}
    body = body.lstrip(b"\r\n")
    most = len(body) + 1
    try:
        parts = MultipartParser(
            io.BytesIO(body),
            boundary,
            content_length=len(body),
            part_limit=MOST_PARTS,
            memory_limit=most,
            spool_limit=most,
        )
        for part in parts:
            name = _INDEX.sub("", part.name)
            if part.filename is not None:
                pictures.setdefault(name, []).append(_as_url(part))
            elif part.size > MOST_TEXT_BYTES:
                raise BadRequest(f"'{name[:64]}' is too long", param=name[:64])
            else:
                fields[name] = part.value
    except (MultipartError, UnicodeDecodeError, LookupError) as error:
        raise BadRequest("The body is no valid multipart form", code="invalid_body") from error
    return Form(fields, pictures)


def _as_url(part: Any) -> str:
    told = part.content_type or ""
    kind = told if _MEDIA_TYPE.fullmatch(told) else "image/png"
    return f"data:{kind};base64,{base64.b64encode(part.raw).decode()}"
