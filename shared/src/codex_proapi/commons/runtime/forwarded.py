"""Whether a request came through a proxy, as the request itself tells it.

Whom to believe about the visitor is another question, and each service's own; here nobody needs to
be believed: a proxy that says so keeps its visitors from what is for the inside.
"""

from collections.abc import Iterable

MARKS = frozenset({b"x-forwarded-for", b"forwarded", b"x-real-ip"})
"""Headers that proxies in front of a service add, and that a Prometheus inside does not."""


def was_forwarded(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether any header of a request (names in lower case) is a proxy's."""
    return any(name in MARKS for name, _ in headers)
