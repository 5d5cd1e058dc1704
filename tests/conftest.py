"""Fixtures every test may use: a real Redis, fresh for each test."""

import gc
import logging
import os
import pathlib
import signal
from collections.abc import AsyncIterator, Iterator

import hypothesis
import pytest
from redis.asyncio import Redis
from support.certificates import Authority
from support.process_state import process_state
from support.redis_clients import connect_patiently, patient
from support.redis_server import RedisServer

from codex_proapi.commons.native import NATIVE, SWITCHED_OFF

# A busy machine is no fault of an example: only what is said counts, never how long it took.
hypothesis.settings.register_profile(
    "context", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile(
    "many", parent=hypothesis.settings.get_profile("context"), max_examples=1000
)
hypothesis.settings.load_profile("context")

# What a shell runs in the background ignores SIGINT, and so would all processes that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


if os.environ.get("NATIVE_CODE") == "off":  # whatever a start within this process sets
    NATIVE._found, NATIVE._why_not = None, SWITCHED_OFF
    NATIVE.switch(on=False)


HERE = pathlib.Path(__file__).parent
LONGEST = ("/journeys/test_storm.py", "/console/browser/", "/journeys/", "/local/", "/console/")


def pytest_configure(config: pytest.Config) -> None:
    """Let each of several test processes begin to read the tests at another module.

    Each of them reads them all, and compiles a module if none has before. In one order they would
    come to each at the same time, and compile it as often as they are.
    """
    worker = getattr(config, "workerinput", None)
    if worker is not None and config.args_source is config.ArgsSource.TESTPATHS:
        modules = [str(path) for path in sorted(HERE.rglob("test_*.py"))]
        at = int(worker["workerid"].removeprefix("gw")) * len(modules) // worker["workercount"]
        config.args = [*modules[at:], *modules[:at]]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let several test processes begin with what takes longest: none is left alone with it at the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: (_place(item.nodeid), item.path))


def pytest_collection_finish() -> None:
    """Take the tests out of the garbage collector's sight: they stay, and to look through them takes long."""
    gc.freeze()


def _place(name: str) -> int:
    """How late a test may begin; smaller is sooner."""
    return next((n for n, part in enumerate(LONGEST) if part in name), len(LONGEST))


@pytest.fixture(scope="session", autouse=True)
def one_authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let TLS contexts know one authority: reading the system's takes longer than most tests."""
    with pytest.MonkeyPatch.context() as patch:
        if "SSL_CERT_FILE" not in os.environ:
            folder: pathlib.Path = tmp_path_factory.mktemp("authority")
            patch.setenv("SSL_CERT_FILE", str(Authority(folder).path))
        yield


@pytest.fixture(autouse=True)
def _process_state_kept() -> Iterator[None]:
    """No test changes the process for those that follow in it: which they are is chance."""
    before = process_state()
    yield
    after = process_state()
    logging.root.setLevel(before["the root log's level"])
    assert [name for name in before if before[name] != after[name]] == []


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One real server for each test process, on a unix socket."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """Address of an empty database; a busy machine is no fault of those who wait for it."""
    redis_server.flush()
    return patient(redis_server.url)


@pytest.fixture
async def redis_client(redis_url: str) -> AsyncIterator[Redis]:
    """A client of that database, made as the services make it, but patient."""
    client = connect_patiently(redis_url)
    yield client
    await client.aclose()
