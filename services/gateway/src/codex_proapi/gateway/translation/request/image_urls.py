"""Addresses of images, data: URLs most of all: what upstream would refuse in them is mended or told.

An image that is refused stays in the history and ends the session, so its media type is checked here.
"""

import base64
import binascii
import re
from typing import Any, Final

from codex_proapi.gateway.errors import BadRequest

_IMAGE_SCHEMES: Final = ("http://", "https://", "data:")
_LONGEST_SCHEME: Final = max(map(len, _IMAGE_SCHEMES))
_SPOILING: Final = ("-", "_", "\n", "\r", " ", "\t")
"""Characters that make upstream refuse base64; searched one by one, as images are megabytes."""
_LOOKED_AT: Final = 24
"""Characters of base64 that hold the first bytes of every known format; a multiple of four."""
_TOLD: Final = re.compile(r"data:image/[a-z0-9.+-]{1,64}[;,]", re.ASCII | re.IGNORECASE)


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


def media_type_of_base64(text: str, begin: int = 0) -> str | None:
    """The same of a picture in base64, which begins at an index of a text."""
    first = text[begin : begin + _LOOKED_AT].replace("-", "+").replace("_", "/")
    try:
        return media_type(base64.b64decode(first, validate=True))
    except binascii.Error:
        return None


def normal_image_url(url: Any, where: str) -> str:
    """Return an address that upstream takes. Raises BadRequest for what is none, and for no image.

    Corrected are base64 with line breaks, the URL alphabet or missing padding, and a media type that
    is none of an image (`data:image;base64`, `application/octet-stream`) where the bytes are one.
    """
    if not isinstance(url, str) or not url[:_LONGEST_SCHEME].lower().startswith(_IMAGE_SCHEMES):
        raise BadRequest("An image needs an http(s) address or a data: URL", param=where)
    comma = url.find(",")
    head = url[: max(comma, 0)]
    if not head.startswith("data:") or not head.endswith(";base64"):
        return url
    if not _TOLD.match(url) or len(url) == comma + 1:
        found = media_type_of_base64(url, comma + 1)
        if found is None:
            raise BadRequest("This data: URL is no image", code="unsupported_value", param=where)
        return _sound_base64(f"data:{found};base64{url[comma:]}")
    return _sound_base64(url)


def _sound_base64(url: str) -> str:
    """Mend the base64 of a data: URL; what is sound may be many megabytes and is never copied."""
    comma = url.find(",")
    if any(url.find(letter, comma) >= 0 for letter in _SPOILING):
        payload = "".join(url[comma + 1 :].split()).replace("-", "+").replace("_", "/")
    elif (len(url) - comma - 1) % 4 == 0:
        return url
    else:
        payload = url[comma + 1 :]
    payload = payload.rstrip("=")
    return f"{url[:comma]},{payload}{'=' * (-len(payload) % 4)}"
