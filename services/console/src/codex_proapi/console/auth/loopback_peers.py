"""Which user of this machine is at the other end of a loopback connection.

Without a password whoever reaches the console on loopback is its administrator; on a machine of
several users that is not its owner. Linux names the owner of every socket in /proc/net/tcp (proc(5),
field `uid`; read on Linux 6.1 in November 2026). Where it says nothing (another system, a
network namespace of its own) the connection counts as the owner's.
"""

import ipaddress
import os
import pathlib
import time
from collections.abc import Callable, Iterable

Address = tuple[str, int]

TABLES = (pathlib.Path("/proc/net/tcp"), pathlib.Path("/proc/net/tcp6"))
REMEMBERED_SECONDS = 2.0
"""How long the owner of a connection is remembered; its port may be another's then."""
MOST_REMEMBERED = 256
_ROOT = 0
_UID_FIELD = 7


class LoopbackPeers:
    """Distinguishes connections of other users from those of the user that runs this process."""

    def __init__(
        self,
        *,
        tables: Iterable[pathlib.Path] = TABLES,
        own: frozenset[int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the tables and users to compare with.

        Args:
            tables: Files in the form of /proc/net/tcp.
            own: User ids that are the owner's; None is this process' and root.
            clock: Monotonic seconds.
        """
        self._tables = tuple(tables)
        self._own = frozenset({os.geteuid(), _ROOT}) if own is None else own
        self._clock = clock
        self._known: dict[Address, tuple[bool, float]] = {}

    def __repr__(self) -> str:
        return f"<LoopbackPeers of {sorted(self._own)}>"

    def is_foreign(self, client: Address | None, server: Address | None) -> bool:
        """Whether a connection is known to be another user's."""
        if client is None or server is None:
            return False
        foreign, until = self._known.get(client, (False, 0.0))
        now = self._clock()
        if now < until:
            return foreign
        uid = self._uid(client, server)
        foreign = uid is not None and uid not in self._own
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        self._known[client] = foreign, now + REMEMBERED_SECONDS
        return foreign

    def _uid(self, client: Address, server: Address) -> int | None:
        ends = {f"{host}:{client[1]:04X}" for host in _encoded(client[0])}
        others = {f"{host}:{server[1]:04X}" for host in _encoded(server[0])}
        for table in self._tables:
            try:
                lines = table.read_text(encoding="ascii").splitlines()[1:]
            except (OSError, UnicodeDecodeError):
                continue
            for line in lines:
                fields = line.split()
                if len(fields) > _UID_FIELD and fields[1] in ends and fields[2] in others:
                    return int(fields[_UID_FIELD])
        return None


def _encoded(host: str) -> list[str]:
    """An address as the tables write it: words of four bytes, each in the machine's order.

    An IPv4 address may be the end of an IPv6 socket, too.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return []
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    forms = [address.packed]
    if isinstance(address, ipaddress.IPv4Address):
        forms.append(b"\0" * 10 + b"\xff\xff" + address.packed)
    return [
        "".join(form[i : i + 4][::-1].hex().upper() for i in range(0, len(form), 4))
        for form in forms
    ]
