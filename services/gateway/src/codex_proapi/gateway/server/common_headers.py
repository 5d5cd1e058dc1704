"""Headers that every response of the gateway carries, whatever it answers."""

from typing import Final

CORS_HEADERS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"access-control-allow-origin", b"*"),
    (
        b"access-control-expose-headers",
        (
            b"x-request-id, retry-after, x-should-retry, x-ratelimit-limit-requests, "
            b"x-ratelimit-remaining-requests, x-ratelimit-reset-requests, "
            b"x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens"
        ),
    ),
)
"""On every answer: keys travel in headers, never in cookies, so any page may ask."""
