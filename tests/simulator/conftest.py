"""A running simulator and a client for it."""

from typing import Any

import httpx
import pytest

from codex_proapi.simulator import Simulator


@pytest.fixture
async def sim() -> Any:
    async with Simulator() as running:
        yield running


@pytest.fixture
async def http() -> Any:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        yield client
