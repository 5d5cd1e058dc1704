"""Names of the selection strategies an operator may switch between. Pure."""

import enum


class Routing(enum.StrEnum):
    """Selection strategy. In all but `round_robin`, a conversation returns to its account."""

    AFFINITY = "affinity"
    """New conversations in turn among those whose quota would be lost at its reset soonest."""
    ROUND_ROBIN = "round_robin"
    """Strictly in turn, every request."""
    DRAIN_SOONEST = "drain_soonest"
    """New conversations to the account whose longest window resets first."""
    LEAST_USED = "least_used"
    """New conversations to the account with most of its quota left."""
