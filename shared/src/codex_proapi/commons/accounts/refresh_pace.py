"""Time-outs and intervals of the credential refresher."""

import msgspec

from codex_proapi.commons.redis import keyspace


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Time-outs and intervals of a refresher, in seconds."""

    patience: float = 15.0
    """How long a request waits for a refresh without which it cannot go on."""
    grace: float = 2.0
    """How long it waits while the old token still works."""
    poll: float = 0.075
    """Between two reads while another replica refreshes."""
    pause: int = 2
    """Without another try after a failure that may pass; doubles with each, to a minute."""
    reuse: float = 6.0
    """How long to wait for another replica's result when our refresh token was used already; longer
    than that replica pauses between two tries to save it."""
    settle: float = 3.0
    """How long no refresh begins after Redis was away: a lock may have ended meanwhile, while its
    holder has an answer that it could not save."""
    lock: int = keyspace.REFRESH_LOCK_SECONDS
    """How long the lock of a dead replica keeps the others waiting."""
