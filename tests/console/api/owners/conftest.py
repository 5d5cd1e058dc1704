from collections.abc import AsyncIterator

import pytest
from support.owner_scene import OwnerScene, owner_scene


@pytest.fixture
async def scene(redis_url: str) -> AsyncIterator[OwnerScene]:
    async with owner_scene(redis_url) as made:
        yield made
