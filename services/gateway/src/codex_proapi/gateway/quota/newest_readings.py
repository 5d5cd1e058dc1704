"""Keeps the quotas of which owners keep a share as new as Redis has them.

Other quotas may be half a minute old on a replica that another one serves with. Where a share stays
its owner's, nothing is to be begun once any replica has read that it is reached, so each snapshot
brings what has changed since the one before: as much as the other replicas have written meanwhile,
however many accounts there are.
"""

from collections.abc import Callable, Sequence

from codex_proapi.commons.accounts.quota_store import SeenQuota, read_quota
from codex_proapi.commons.accounts.view import AccountView
from codex_proapi.commons.redis import keyspace


class NewestReadings:
    """Which quotas this replica wants, and which it has.

    Args:
        view: the accounts as this replica last read them.
        learn: takes the stored quota of an account.
    """

    def __init__(self, view: AccountView, learn: Callable[[str, SeenQuota], None]) -> None:
        self._view = view
        self._learn = learn
        self._version = -1
        self._shared: frozenset[str] = frozenset()
        self._read: set[str] = set()
        self._since = "0"

    def __repr__(self) -> str:
        return f"<NewestReadings of {len(self._shared)} accounts>"

    def wanted(self) -> str:
        """What a snapshot is to bring, as its script reads it; empty for nothing."""
        if self._version != self._view.version:
            self._version = self._view.version
            accounts = self._view.accounts.values()
            self._shared = frozenset(a.id for a in accounts if a.terms.reserves)
            self._read &= self._shared
        if not self._shared:
            return ""
        unread = self._shared - self._read
        return " ".join([keyspace.quota(""), self._since, *sorted(unread), ""])

    def take(self, reply: Sequence[str]) -> None:
        """Take what a snapshot has brought: the score of the last change, then ids and quotas in turn."""
        since, *pairs = reply
        if float(since) > float(self._since):
            self._since = since
        for account_id, body in zip(pairs[::2], pairs[1::2], strict=True):
            if account_id not in self._shared:
                continue
            self._read.add(account_id)
            if (quota := read_quota(body)) is not None:
                self._learn(account_id, quota)
