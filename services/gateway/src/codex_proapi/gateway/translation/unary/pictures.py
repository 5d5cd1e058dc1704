"""Checks the pictures of an edit before an account is asked: by their first bytes, as no name tells.

Both ways to send them, a file of a form and a data: URL, arrive here as a URL.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Any, Final

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.client_body import ClientBody
from codex_proapi.gateway.translation.request.parts import normal_image_url

MOST_PICTURES: Final = 16
"""Most pictures of an edit, as in OpenAI's API."""
_LOOKED_AT: Final = 24
"""Characters of base64 that hold the first bytes of every format below; a multiple of four."""


def listed_pictures(asked: ClientBody) -> list[str]:
    """The pictures of a JSON body: `images` or `image`, as objects or data: URLs. Raises BadRequest."""
    listed = asked.get("images")
    field = "image" if listed is None else "images"
    listed = asked.get("image") if listed is None else listed
    each = listed if isinstance(listed, list) else [] if listed is None else [listed]
    return [_url(picture, f"{field}.{index}") for index, picture in enumerate(each)]


def checked_pictures(urls: Sequence[str], field: str) -> list[str]:
    """The same pictures, with the media types they have. Raises BadRequest naming one that is none."""
    if not 0 < len(urls) <= MOST_PICTURES:
        raise BadRequest(f"There must be 1 to {MOST_PICTURES} pictures", param=field)
    several = len(urls) > 1
    return [_checked(url, f"{field}.{n}" if several else field) for n, url in enumerate(urls)]


def media_type(first: bytes) -> str | None:
    """The media type of a picture, by its first bytes; None for what is no picture."""
    if first.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if first.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if first.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if first.startswith(b"RIFF") and first[8:12] == b"WEBP":
        return "image/webp"
    return None


def _url(picture: Any, where: str) -> str:
    url = picture.get("image_url") if isinstance(picture, dict) else picture
    return normal_image_url(url, where)


def _checked(url: str, where: str) -> str:
    if url[:5].lower() != "data:":
        return url
    comma = url.find(",")
    try:
        first = base64.b64decode(url[comma + 1 : comma + 1 + _LOOKED_AT], validate=True)
    except binascii.Error:
        first = b""
    kind = media_type(first) if url[:comma].endswith(";base64") else None
    if kind is None:
        raise BadRequest(
            "This is no image: send a PNG, JPEG, WebP or GIF, as a file or in base64",
            code="unsupported_value",
            param=where,
        )
    head = f"data:{kind};base64"
    return url if url.startswith(f"{head},") else head + url[comma:]
