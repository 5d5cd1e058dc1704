"""Fixtures that several modules of one journey share."""

from collections.abc import AsyncIterator

import pytest
from support.clock import Clock
from support.consoles import Browser, guarded, running
from support.login_scene import Scene

from codex_proapi.simulator import Simulator


@pytest.fixture
async def scene(redis_url: str) -> AsyncIterator[Scene]:
    clock = Clock()
    async with Simulator(clock=clock) as sim:
        provided = {"codex_auth_url": sim.auth_url, "codex_base_url": sim.base_url}
        settings = guarded(redis_url, **provided)
        async with (
            running(settings, clock=clock) as first,
            running(settings, clock=clock) as second,
            Browser(first) as here,
            Browser(second) as there,
        ):
            await here.sign_in()
            there.cookies = here.cookies
            there.headers["x-csrf-token"] = here.headers["x-csrf-token"]
            yield Scene(sim, first, second, here, there, clock)
