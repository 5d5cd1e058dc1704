"""The body budget: bounds the bytes of all request bodies in the process, and the values of one body.

A body needs its own size while it is read, and several times that once it is decoded. Without a
common bound a few clients could exhaust the process' memory.
"""

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import Final

import msgspec

from codex_proapi.gateway.errors import Overloaded, TooLarge
from codex_proapi.gateway.server.body_threads import COUNTED_AT_ONCE, FairTurns, count_of

MOST_CONTAINERS: Final = 200_000
"""Objects and lists in one body: an empty object is 2 bytes in JSON and some 70 in memory."""
MOST_VALUES: Final = 1_000_000
"""Values in one body, by the commas between them: a short string is 4 bytes in JSON, 50 in memory."""
EXACT_BYTES: Final = 8 * 1024 * 1024
"""Bytes up to which a body that may have too many values is counted exactly, without its strings.

Texts hold braces and commas, too: source code has one in thirty letters.
"""
_TOKENS: Final = re.compile(rb'(?:[^"]++|"[^"\\]*+(?:\\.[^"\\]*+)*+"){1,20000}+', re.DOTALL)
"""A piece of JSON that begins and ends outside of strings, in 5 ms at most: no piece is looked
through without others having their turn at the interpreter."""
_STRINGS: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""A string, also one that does not end: else every quote in it would be tried as a beginning."""


class BodyBudget:
    """The bytes of all bodies in the process; thread-safe, as decompression runs in threads."""

    def __init__(self, most: int) -> None:
        self.turns = FairTurns()
        """Turns at the threads that work on large bodies."""
        self.most = most
        """Most bytes held."""
        self.held = 0
        """Bytes held now."""
        self.lock = threading.Lock()
        """Held while a share takes or gives back."""

    def __repr__(self) -> str:
        return f"<BodyBudget {self.held} of {self.most} bytes>"


def _unbounded() -> BodyBudget:
    return BodyBudget(sys.maxsize)


class BodyHold(msgspec.Struct, eq=False):
    """One request's share of the body budget.

    Args:
        budget: what it is a share of; without it nothing is bounded.
        key_id: the client's key, which has its own turns at the threads.
    """

    _budget: BodyBudget = msgspec.field(default_factory=_unbounded)
    _key_id: str = ""
    size: int = 0
    """Bytes held."""
    closed: bool = False
    """Whether all was given back, and none can be taken any more."""

    def __repr__(self) -> str:
        return f"<BodyHold of {self.size} bytes>"

    def turn(self) -> AbstractAsyncContextManager[None]:
        """The request's next turn at a thread for its body; fair between keys."""
        return self._budget.turns.of(self._key_id)

    def take(self, size: int) -> None:
        """Hold so many bytes more. Raises Overloaded, also once all were given back."""
        budget = self._budget
        with budget.lock:
            if self.closed:
                raise Overloaded("The request has ended.")
            if size > budget.most - budget.held:
                raise Overloaded("Too many large requests are under way here. Please try again.")
            budget.held += size
            self.size += size

    def release(self, size: int | None = None) -> None:
        """Return `size` bytes to the budget, or all that are held; may be called repeatedly.

        After all were given back none can be taken: a thread may still be unpacking for a request
        that has ended.
        """
        if self.closed and not self.size:
            return  # nothing is left, and nothing can be taken any more
        budget = self._budget
        with budget.lock:
            self.closed = self.closed or size is None
            size = self.size if size is None else min(size, self.size)
            self.size -= size
            budget.held -= size


def check_values(body: bytes) -> None:
    """Raise TooLarge for a body whose decoded form would be far larger than the body itself.

    A multipart form, which no JSON begins like, is decoded to what it is.
    """
    if body.startswith(b"--"):
        return
    if _holds_too_much(body):
        raise TooLarge(
            f"The body holds more than {MOST_CONTAINERS} objects and lists, or more than "
            f"{MOST_VALUES} values."
        )


def _holds_too_much(body: bytes) -> bool:
    if not _is_too_much(*_counts(body)):
        return False
    if len(body) > EXACT_BYTES:
        return True
    containers = values = 0
    for piece in _pieces(body):
        found = _counts(_STRINGS.sub(b"", piece))
        containers, values = containers + found[0], values + found[1]
    return _is_too_much(containers, values)


def _pieces(body: bytes) -> Iterator[bytes]:
    """Cut a body outside of its strings; a string that does not end is the last piece."""
    start = 0
    while start < len(body):
        found = _TOKENS.match(body, start)
        end = found.end() if found else len(body)
        yield body[start:end]
        start = end


def _counts(body: bytes) -> tuple[int, int]:
    """Objects and lists, and all values, as brackets and commas tell.

    In slices: one count of 64 MiB would keep all others from the interpreter for too long.
    """
    containers = commas = 0
    for start in range(0, len(body), COUNTED_AT_ONCE):
        containers += count_of(b"{", body, start) + count_of(b"[", body, start)
        commas += count_of(b",", body, start)
    return containers, containers + commas


def _is_too_much(containers: int, values: int) -> bool:
    return containers > MOST_CONTAINERS or values > MOST_VALUES
