"""The requests that the simulator received and how they ended, for tests."""

import dataclasses
from typing import Any


@dataclasses.dataclass
class ReceivedRequest:
    """One request that arrived."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: Any = None
    """Decoded JSON or form; None when there was none."""
    context: Any = None
    """Over WebSocket: all items that the model saw, those of earlier frames included."""
    encoding: str = ""
    """Content coding the body came in."""
    at: float = 0.0
    """When, by the simulator's clock."""
    connection: int = 0
    """Names the connection it came over, as long as that is open."""
    account: str = ""
    """Name of the account whose token it carried."""
    status: int = 0
    """Status of the response; 0 while it runs and after a dropped connection."""
    code: str = ""
    """Code of the refusal or in-stream failure it got."""
    ending: str = ""
    """`whole`, `refused`, `failed`, `cut`, `dropped` or `client_left`; empty while it runs."""
    ended_at: float = 0.0
    """When it ended."""
    bytes_sent: int = 0
    """Bytes of the stream that were written."""

    def end(self, ending: str, at: float) -> None:
        """Set how it ended; only the first call has an effect."""
        if not self.ending:
            self.ending, self.ended_at = ending, at


@dataclasses.dataclass(frozen=True)
class TokenCall:
    """One call of the token endpoint."""

    grant_type: str
    """`authorization_code`, `refresh_token`, …"""
    account: str
    """Name of the account, if the code or token was known."""
    reason: str
    """`refresh_reason`, if it was sent."""
    status: int
    """Status of the response; 0 if the connection was dropped."""
    code: str
    """Error code, empty on success."""
    at: float
    """When it arrived, by the simulator's clock."""
