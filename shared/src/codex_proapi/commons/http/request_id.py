"""Ids of requests, in the response header `x-request-id`, errors and logs."""

import os


def make_request_id() -> str:
    """Make a request id. A client's id is not used, because usage is counted once for each id."""
    return f"req_{os.urandom(12).hex()}"
