"""What a connection remembers of its conversation, so that the next frame may bring only what is new.

The backend keeps a response in the memory of the connection that made it, and here it is the same:
whichever account or transport serves the next turn, it gets the whole input. Nothing is written to
Redis, as clients that send `store: false` expect. What is remembered is compressed, and bounded for
each connection and for the process; a conversation that was forgotten is answered with
`previous_response_not_found`, on which clients send the whole input.
"""

import zlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

CONNECTION_BYTES: Final = 8 * 1024 * 1024
"""Most compressed bytes for one connection."""
PLAIN_BYTES: Final = 48 * 1024 * 1024
"""Most bytes of one conversation: with what is new a body must stay below the limit of a POST."""
PROCESS_BYTES: Final = 128 * 1024 * 1024
"""Most compressed bytes for all connections: some thousand conversations of 500 kB."""


class RememberedConversations:
    """The memories of all connections: beyond the bound the one used longest ago is forgotten."""

    def __init__(self, most: int = PROCESS_BYTES) -> None:
        self._most = most
        self._held = 0
        self._by_use: OrderedDict[Conversation, int] = OrderedDict()

    def __repr__(self) -> str:
        return f"<RememberedConversations {self._held} bytes>"

    @property
    def held(self) -> int:
        """Compressed bytes held now."""
        return self._held

    def begin(self) -> "Conversation":
        """An empty conversation of one connection."""
        return Conversation(self)

    def note(self, conversation: "Conversation", size: int) -> None:
        """Note the size of a conversation that was used just now; 0 removes it."""
        self._held += size - self._by_use.pop(conversation, 0)
        if size:
            self._by_use[conversation] = size
        while self._held > self._most:
            oldest = next(iter(self._by_use))
            oldest.forget()


class Conversation:
    """One connection's conversation up to its last whole response."""

    __slots__ = ("_all", "_parts", "_plain", "response_id")

    def __init__(self, all_: RememberedConversations) -> None:
        self._all = all_
        self._parts: list[bytes] = []
        self._plain = 0
        self.response_id = ""
        """Id of the last whole response; empty for none."""

    def __repr__(self) -> str:
        return f"<Conversation of {len(self._parts)} parts>"

    @property
    def plain_size(self) -> int:
        """Bytes of its items."""
        return self._plain

    def items(self) -> list[bytes]:
        """Its items as JSON, in pieces that `b",".join` puts together."""
        return [zlib.decompress(part) for part in self._parts]

    def extend(self, response_id: str, *parts: "Packed", anew: bool) -> None:
        """Remember a whole response.

        Args:
            response_id: its id.
            parts: what was new in its input, then its output.
            anew: whether these are everything, and what was remembered before is not.
        """
        if anew:
            self._parts, self._plain = [], 0
        for packed in parts:
            if packed.plain_size:
                self._parts.append(packed.data)
                self._plain += packed.plain_size
        self.response_id = response_id
        size = sum(map(len, self._parts))
        if size > CONNECTION_BYTES or self._plain > PLAIN_BYTES:
            self.forget()
            return
        self._all.note(self, size)

    def forget(self) -> None:
        """Forget everything."""
        self._parts, self._plain, self.response_id = [], 0, ""
        self._all.note(self, 0)


class Packed:
    """Items, compressed."""

    __slots__ = ("data", "plain_size")

    def __init__(self, items: Sequence[bytes]) -> None:
        plain = b",".join(items)
        self.plain_size = len(plain)
        """Bytes of the items; 0 for none."""
        self.data = zlib.compress(plain, 1) if plain else b""

    def __repr__(self) -> str:
        return f"<Packed {self.plain_size} bytes>"
