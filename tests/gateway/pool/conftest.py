"""The fixture of the account selector's tests."""

from typing import Any

import pytest
from redis.asyncio import Redis
from support.selecting import Scene


@pytest.fixture
def scene(redis_client: Redis) -> Any:
    return Scene(redis_client)
