"""The console as a process: its limits, and an end that open streams do not delay."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest
from cryptography.fernet import Fernet
from support.free_ports import free_port
from support.pretended import pretended_time

from codex_proapi.commons.cluster.replicas import ReplicaStore
from codex_proapi.commons.redis.clients import connect


class Process:
    """`python -m console` on a free port."""

    def __init__(self, redis_url: str, **environ: str) -> None:
        self.port = free_port()
        self.address = f"http://localhost:{self.port}"
        self.redis_url = redis_url
        keys = Fernet.generate_key().decode()
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "codex_proapi.console"],
            env={
                **pretended_time(),
                "REDIS_URL": redis_url,
                "ENCRYPTION_KEYS": keys,
                "PORT": str(self.port),
                **environ,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_until_ready(self) -> None:
        for _ in range(1200):
            try:
                if httpx.get(f"{self.address}/readyz", timeout=60).status_code == 200:
                    return
            except httpx.ConnectError:
                time.sleep(0.05)
        pytest.fail("the console did not start")

    def end(self) -> tuple[int, str]:
        """Its exit code and all it said."""
        said, _ = self.process.communicate(timeout=60)
        return self.process.returncode, said


@pytest.fixture
def process(redis_url: str) -> Iterator[Process]:
    process = Process(redis_url)
    process.wait_until_ready()
    yield process
    process.process.kill()
    process.process.communicate()


async def test_a_signal_ends_open_streams_at_once_and_leaves_nothing_behind(
    process: Process,
) -> None:
    with httpx.stream("GET", f"{process.address}/api/logs/stream", timeout=60) as stream:
        pieces = stream.iter_raw()
        assert next(pieces).startswith(b"retry:")
        began = time.monotonic()
        process.process.send_signal(signal.SIGTERM)
        list(pieces)
        took = time.monotonic() - began
    code, said = process.end()

    assert took < 3
    assert code == 0, said
    client = connect(process.redis_url)
    assert await ReplicaStore(client).all() == []
    await client.aclose()


def test_the_start_says_where_browser_logins_return(process: Process) -> None:
    process.process.send_signal(signal.SIGINT)
    code, said = process.end()

    assert code == 0
    assert "browser logins return to http://localhost:1455/auth/callback" in said


def test_a_head_larger_than_any_honest_one_is_refused(process: Process) -> None:
    answer = httpx.get(process.address, headers={"x-large": "x" * 40_000}, timeout=60)

    assert answer.status_code == 431
    assert answer.json()["error"]["code"] == "request_head_too_large"


def test_a_wrong_environment_stops_the_start_with_every_fault(redis_url: str) -> None:
    process = Process(
        redis_url, ENCRYPTION_KEYS="", ADMIN_PASSWORD="short", CODEX_TYPO="1", TRUSTED_PROXIES="x"
    )
    code, said = process.end()

    assert code == 2
    for fault in ("ENCRYPTION_KEYS", "ADMIN_PASSWORD", "CODEX_TYPO", "TRUSTED_PROXIES"):
        assert fault in said
    assert "Traceback" not in said
    assert "short" not in said
