"""What a request may cost before upstream has counted it: for limits, never for a bill."""

from collections.abc import Iterable, Iterator
from typing import Final

from codex_proapi.gateway.formats.codex.requests import Item

BYTES_PER_TOKEN: Final = 4
"""Of a request's body: a usual figure for English and for code."""
PICTURE_TOKENS: Final = 1_000
"""Of one picture, however many bytes it is packed in: about what a screenshot costs."""
WITHOUT_PICTURES: Final = 16 * 1024
"""Bytes up to which nobody looks for pictures: they would be icons."""


def estimate(size: int, items: Iterable[Item]) -> int:
    """Tokens of a body of so many bytes, with these items in it."""
    if size <= WITHOUT_PICTURES:
        return size // BYTES_PER_TOKEN
    pictures = [len(url) for url in _pictures(items)]
    rest = max(0, size - sum(pictures))
    return rest // BYTES_PER_TOKEN + PICTURE_TOKENS * len(pictures)


def _pictures(items: Iterable[Item]) -> Iterator[str]:
    """The pictures that are in the body itself, in messages and in results of tools."""
    for item in items:
        for field in ("content", "output"):
            parts = item.get(field)
            for part in parts if isinstance(parts, list) else ():
                url = part.get("image_url") if isinstance(part, dict) else None
                if isinstance(url, str) and url.startswith("data:"):
                    yield url
