"""The Redis keys of what operators and owners set up and are told; `keyspace` has all others.

A test compares both with docs/redis.md.
"""

from codex_proapi.commons.redis.keyspace import DAY, TAG

KEY_COSTS_SECONDS = 3600
"""How long what a key's earlier days cost is remembered: then it is worked out anew."""


SAVED_RESETS_SECONDS = 40 * DAY
"""How long saved resets are kept as they were last read; those seen end within a month."""
REDEMPTION_SECONDS = 90 * DAY
"""How long redemptions are kept after the last one of an account was begun."""
ALERT_LOCK_SECONDS = 30
"""How long one console delivers alerts; it renews that while it does."""


def alert_destinations() -> str:
    """Hash of where alerts are delivered, by id; addresses and secrets sealed; no expiry."""
    return f"{TAG}:alert-destinations"


def alerts() -> str:
    """Hash of the alerts that have begun, by kind and subject; no expiry."""
    return f"{TAG}:alerts"


def alert_deliveries() -> str:
    """Hash of messages that wait for their next try, by notification and destination; no expiry."""
    return f"{TAG}:alert-deliveries"


def alert_outcomes() -> str:
    """Hash of how the last delivery to each destination went; no expiry."""
    return f"{TAG}:alert-outcomes"


def alert_lock() -> str:
    """String: the console that looks for alerts and delivers them just now; ALERT_LOCK_SECONDS."""
    return f"{TAG}:alert-lock"


def upstream_drift() -> str:
    """Hash of what the backend sent that no version knew, by kind and name; no expiry."""
    return f"{TAG}:upstream-drift"


def last_backup() -> str:
    """String: when a backup was written last, seconds since the epoch; no expiry."""
    return f"{TAG}:last-backup"


def key_session(digest: str) -> str:
    """String, JSON of a browser's session that was begun with an API key; its idle limit."""
    return f"{TAG}:key-session:{digest}"


def key_costs(key_id: str) -> str:
    """Hash of what earlier days of a key with a budget in money cost, by day; KEY_COSTS_SECONDS."""
    return f"{TAG}:key-costs:{key_id}"


def slot_counts() -> str:
    """Sorted set: accounts by how many of their slots are in use; SLOT_SECONDS."""
    return f"{TAG}:slot-counts"


def slot_holders() -> str:
    """Hash of slots in use: all, by key, and which each request has; SLOT_SECONDS."""
    return f"{TAG}:slot-holders"


def prices() -> str:
    """Hash of the prices that the operator has set, by model; no expiry."""
    return f"{TAG}:prices"


def quota_changes() -> str:
    """Sorted set: accounts of which owners keep a share, by when their quota was written; no expiry."""
    return f"{TAG}:quota-changes"


def owners() -> str:
    """Hash of the owners of accounts, by id; no expiry."""
    return f"{TAG}:owners"


def owner_access(owner_id: str) -> str:
    """Hash of digests of an owner's invitation (three days) or session (90 days unused)."""
    return f"{TAG}:owner-access:{owner_id}"


def saved_resets(account_id: str) -> str:
    """String, JSON of an account's saved resets as last read; SAVED_RESETS_SECONDS."""
    return f"{TAG}:saved-resets:{account_id}"


def reset_redemptions(account_id: str) -> str:
    """Hash of JSON redemptions of an account by reset, with the request's id; REDEMPTION_SECONDS."""
    return f"{TAG}:reset-redemptions:{account_id}"
