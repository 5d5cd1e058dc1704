"""The open sockets of a replica: under way with a request, or kept for their conversation's next one.

A socket belongs to one conversation of one key on one account, and to the headers of its handshake; nobody
else ever gets it. How many there are, how long they wait and how old they get is bounded.
"""

import hashlib
import operator
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from codex_proapi.gateway.upstream.transport import PreparedRequest
from codex_proapi.gateway.upstream.websocket.continuation import Asked, Continuation
from codex_proapi.gateway.upstream.websocket.socket import UpstreamSocket

MOST_OF_ACCOUNT: Final = 64
"""Open sockets of one account; what goes beyond goes by POST."""
MOST: Final = 512
"""Open sockets of a process: some 40 MiB with TLS."""
MOST_OF_CONVERSATION: Final = 16
"""Sockets that wait for one conversation: parallel turns make several."""
MOST_NEW: Final = 64
"""Waiting sockets that have carried one request only: most of these conversations never go on."""
NEW_SECONDS: Final = 90
"""How long such a socket waits: less than the edge leaves a connection without traffic."""
CONTINUED_SECONDS: Final = 270
"""How long one waits whose conversation has gone on before: less than the 300 s a CLI would."""
AGE_SECONDS: Final = 55 * 60
"""Age from which on a socket carries no other request: the backend ends it after an hour."""
NO_KEY: Final = "open"
"""Stands for the key of requests that have none."""
_OF_TURNS: Final = frozenset(
    {"x-codex-turn-metadata", "x-codex-turn-state", "x-client-request-id", "content-length"}
)
"""Headers that differ from turn to turn of one conversation."""

_KNOWN: Final = operator.attrgetter("known")


class SocketKey(msgspec.Struct, frozen=True, kw_only=True):
    """What a socket belongs to."""

    account: str
    key_id: str
    conversation: str
    headers: bytes
    """Digest of the headers, the token among them."""

    @classmethod
    def of(cls, request: PreparedRequest) -> "SocketKey":
        """What the socket of a request belongs to."""
        return cls(
            account=request.owner.account,
            key_id=request.owner.key_id,
            conversation=request.owner.conversation,
            headers=_digest(request.all_headers),
        )


class OpenSocket:
    """A socket with what it belongs to, and what its next request may refer to."""

    __slots__ = ("_opened_at", "key", "known", "last", "socket", "used_at")

    def __init__(self, socket: UpstreamSocket, key: SocketKey, *, now: float) -> None:
        self.socket = socket
        self.key = key
        self.last: Continuation | None = None
        """Its last turn; None if the next one has to bring everything."""
        self.known = -1
        """Bytes of the conversation that its last turn knew when it began to wait; -1 for none."""
        self._opened_at = self.used_at = now

    def __repr__(self) -> str:
        return f"<OpenSocket {self.socket!r}>"

    def is_fit(self, now: float) -> bool:
        """Whether another request may begin."""
        return self.socket.alive and now - self._opened_at < AGE_SECONDS

    def is_stale(self, now: float) -> bool:
        """Whether it has waited for long enough."""
        most = NEW_SECONDS if self.socket.requests <= 1 else CONTINUED_SECONDS
        return not self.is_fit(now) or now - self.used_at >= most


class OpenSockets:
    """The sockets of one replica.

    Args:
        usable: whether an account may be used at the moment.
        clock: monotonic seconds.
    """

    def __init__(self, usable: Callable[[str], bool], *, clock: Callable[[], float]) -> None:
        self._usable = usable
        self._clock = clock
        self._all: dict[OpenSocket, None] = {}
        self._waiting: dict[SocketKey, list[OpenSocket]] = {}
        self._order: dict[OpenSocket, None] = {}
        """Those that wait, the longest waiting first."""
        self._draining = False

    def __repr__(self) -> str:
        return f"<OpenSockets {len(self._all)}, {len(self._order)} of them waiting>"

    def __len__(self) -> int:
        return len(self._all)

    @property
    def busy(self) -> int:
        """Sockets that are under way with a request."""
        return len(self._all) - len(self._order)

    @property
    def waiting(self) -> int:
        """Sockets that wait for a request."""
        return len(self._order)

    def add(self, socket: UpstreamSocket, key: SocketKey) -> OpenSocket:
        """Add a new socket, which is under way with a request."""
        made = OpenSocket(socket, key, now=self._clock())
        self._all[made] = None
        return made

    def has_room(self, account: str) -> bool:
        """Whether another socket may be opened; one that waits is closed for it if need be."""
        of_account = sum(each.key.account == account for each in self._all)
        if of_account >= MOST_OF_ACCOUNT:
            return self._close_oldest(lambda each: each.key.account == account)
        return len(self._all) < MOST or self._close_oldest(lambda _: True)

    def take(self, key: SocketKey, asked: Asked) -> tuple[OpenSocket, bytes] | None:
        """A waiting socket for a request, and the frame with what is new.

        The frame is b"" where everything has to be sent. None if no socket waits.
        """
        waiting, now = self._waiting.get(key), self._clock()
        if waiting is None:
            return None
        for each in sorted(waiting, key=_KNOWN, reverse=True) if len(waiting) > 1 else waiting:
            frame = asked.after(each.last) if each.last is not None else b""
            if frame and each.is_fit(now):
                self._leave(each)
                return each, frame
        for each in waiting:
            if each.is_fit(now):
                self._leave(each)
                return each, b""
        return None

    def keep(self, open_socket: OpenSocket, last: Continuation | None) -> None:
        """Let a socket wait for its conversation's next request; its answer was whole."""
        now = self._clock()
        key = open_socket.key
        keeps = key.conversation and not self._draining and self._usable(key.account)
        if not keeps or not open_socket.is_fit(now):
            self.close_one(open_socket)
            return
        open_socket.last, open_socket.used_at = last, now
        open_socket.known = last.size if last is not None else -1
        same = self._waiting.setdefault(key, [])
        if len(same) >= MOST_OF_CONVERSATION:
            self.close_one(same[0])
        self._waiting.setdefault(key, same).append(open_socket)
        self._order[open_socket] = None
        if open_socket.socket.requests <= 1 and self._count_new() > MOST_NEW:
            self._close_oldest(_is_new)

    def close_one(self, open_socket: OpenSocket) -> None:
        """Close a socket in good order."""
        self._leave(open_socket)
        self._all.pop(open_socket, None)
        open_socket.socket.close()

    def abort(self, open_socket: OpenSocket) -> None:
        """End a socket at once, whatever is under way."""
        self._leave(open_socket)
        self._all.pop(open_socket, None)
        open_socket.socket.abort()

    def tick(self) -> None:
        """Count a second: pings; end what has waited too long, was closed, or must not be used."""
        now = self._clock()
        for each in tuple(self._all):
            each.socket.tick()
        accounts: dict[str, bool] = {}
        for each in tuple(self._order):
            account = each.key.account
            if account not in accounts:
                accounts[account] = self._usable(account)
            if each.is_stale(now) or not accounts[account]:
                self.close_one(each)

    def begin_drain(self) -> None:
        """Close those that wait, and others once their answer is whole."""
        self._draining = True
        self.close_waiting()

    def key_ids(self) -> set[str]:
        """Ids of the keys whose conversations have waiting sockets; none for open mode's."""
        return {each.key.key_id for each in self._order} - {NO_KEY}

    def end_key(self, key_id: str) -> None:
        """Close the waiting sockets of a key that is not valid any more."""
        for each in tuple(self._order):
            if each.key.key_id == key_id:
                self.close_one(each)

    def close_waiting(self) -> None:
        """Close all that wait."""
        for each in tuple(self._order):
            self.close_one(each)

    def close(self) -> None:
        """End all."""
        for each in tuple(self._all):
            self.abort(each)

    def _leave(self, open_socket: OpenSocket) -> None:
        """A socket does not wait any more."""
        if open_socket not in self._order:
            return
        del self._order[open_socket]
        same = self._waiting[open_socket.key]
        same.remove(open_socket)
        if not same:
            del self._waiting[open_socket.key]

    def _close_oldest(self, of: Callable[[OpenSocket], bool]) -> bool:
        """Close one that waits: rather one that has carried a single request. False if none does."""
        found = [each for each in self._order if of(each)]
        chosen = next(filter(_is_new, found), found[0] if found else None)
        if chosen is not None:
            self.close_one(chosen)
        return chosen is not None

    def _count_new(self) -> int:
        return sum(map(_is_new, self._order))


def _is_new(each: OpenSocket) -> bool:
    return each.socket.requests <= 1


def _digest(headers: Mapping[str, str]) -> bytes:
    kept = [f"{name}\0{value}" for name, value in headers.items() if name not in _OF_TURNS]
    return hashlib.sha256("\0".join(kept).encode()).digest()
