"""Checks the pictures of an edit before an account is asked: by their first bytes, as no name tells.

Both ways to send them, a file of a form and a data: URL, arrive here as a URL.
"""

from collections.abc import Sequence
from typing import Any, Final

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.client_body import ClientBody
from codex_proapi.gateway.translation.request.image_urls import (
    media_type_of_base64,
    normal_image_url,
)

MOST_PICTURES: Final = 16
"""Most pictures of an edit, as in OpenAI's API."""


def listed_pictures(asked: ClientBody) -> list[str]:
    """The pictures of a JSON body: `images` or `image`, as objects or data: URLs. Raises BadRequest."""
    listed = asked.values.get("images")
    field = "image" if listed is None else "images"
    listed = asked.values.get("image") if listed is None else listed
    each = listed if isinstance(listed, list) else [] if listed is None else [listed]
    return [_url(picture, f"{field}.{index}") for index, picture in enumerate(each)]


def checked_pictures(urls: Sequence[str], field: str) -> list[str]:
    """The same pictures, with the media types they have. Raises BadRequest naming one that is none."""
    if not 0 < len(urls) <= MOST_PICTURES:
        raise BadRequest(f"There must be 1 to {MOST_PICTURES} pictures", param=field)
    several = len(urls) > 1
    return [_checked(url, f"{field}.{n}" if several else field) for n, url in enumerate(urls)]


def _url(picture: Any, where: str) -> str:
    url = picture.get("image_url") if isinstance(picture, dict) else picture
    return normal_image_url(url, where)


def _checked(url: str, where: str) -> str:
    if url[:5].lower() != "data:":
        return url
    comma = url.find(",")
    kind = media_type_of_base64(url, comma + 1) if url[:comma].endswith(";base64") else None
    if kind is None:
        raise BadRequest(
            "This is no image: send a PNG, JPEG, WebP or GIF, as a file or in base64",
            code="unsupported_value",
            param=where,
        )
    head = f"data:{kind};base64"
    return url if url.startswith(f"{head},") else head + url[comma:]
