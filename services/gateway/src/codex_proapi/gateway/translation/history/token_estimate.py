"""Estimates the input tokens of a request before upstream counts them; for limits, not for usage."""

from collections.abc import Iterable, Iterator
from typing import Final

from codex_proapi.gateway.formats.codex.requests import Item

BYTES_PER_TOKEN: Final = 4
"""Bytes of a request's body per token: a common figure for English and code."""
PICTURE_TOKENS: Final = 1_000
"""Tokens of one picture, whatever its size in bytes: about those of a screenshot."""
WITHOUT_PICTURES: Final = 16 * 1024
"""Bytes of a body up to which pictures are not searched for: they would be icons."""


def estimate(size: int, items: Iterable[Item]) -> int:
    """Return the tokens of a body of `size` bytes with these items."""
    if size <= WITHOUT_PICTURES:
        return size // BYTES_PER_TOKEN
    pictures = [len(url) for url in _pictures(items)]
    rest = max(0, size - sum(pictures))
    return rest // BYTES_PER_TOKEN + PICTURE_TOKENS * len(pictures)


def _pictures(items: Iterable[Item]) -> Iterator[str]:
    """Yield the data URLs of pictures, in messages and in tool results."""
    for item in items:
        for field in ("content", "output"):
            if field not in item or not isinstance(parts := item[field], list):
                continue
            for part in parts:
                url = part.get("image_url") if isinstance(part, dict) else None
                if isinstance(url, str) and url.startswith("data:"):
                    yield url
