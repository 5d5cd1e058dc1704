"""A key that sends very large bodies leaves the process alive and the streams of another key whole."""

import asyncio
import contextlib
import pathlib
import sys
import time
from collections.abc import Callable, Iterator

import httpx
import psutil
import pytest
from bench.marker import Marker
from bench.seed import seed
from bench.targets import running
from redis.asyncio import Redis
from support.certificates import Authority
from support.free_ports import free_port
from support.pretended import pretended_time

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.api_keys.store import KeyStore

BODIES = 6
BODY_MIB = 60
MOST_MIB = 950
"""What the process may take: a container's gigabyte with a little to spare. By itself it takes 600 to
650; where other processes want the processors, more of the bodies are worked on at once."""
KEPT_MIB = 300
"""What it may have kept when all have ended: 45 by itself, up to 200 where blocks of several bodies
were mixed. That nothing refers to a body any more is shown by `test_nothing_left`."""
STREAMS = 4
WORDS = 40
TEXT = b"All work and no play makes a dull text. " * 26_214
"""A mebibyte."""


def a_large_body() -> bytes:
    """A request with few values, as pictures and files have; its answer is short."""
    parts = b",".join([b'{"type":"input_text","text":"%b"}' % TEXT] * BODY_MIB)
    last = b'{"type":"input_text","text":"%b"}' % str(Marker(3, 0, 1)).encode()
    item = b'{"type":"message","role":"user","content":[%b,%b]}' % (parts, last)
    return b'{"model":"gpt-5.5","stream":true,"store":false,"input":[%b]}' % item


def peak_mib(process: psutil.Process) -> float:
    """Most memory the process has had, as the system counts it."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


def resident_mib(process: psutil.Process) -> float:
    """Memory the process has now."""
    return process.memory_info().rss / (1 << 20)


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Streams:
    """Streams of another key, one after another for each of STREAMS clients, until they are ended."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._ends = False
        self.answers: list[tuple[int, int, bool]] = []
        """Status, words and whether the end has come."""

    async def run(self) -> None:
        await asyncio.gather(*(self._read() for _ in range(STREAMS)))

    def end(self) -> None:
        self._ends = True

    async def _read(self) -> None:
        asked = [{"role": "user", "content": str(Marker(WORDS, 25, 1))}]
        body = {"model": "gpt-5.5", "stream": True, "messages": asked}
        while not self._ends:
            answer = await self._client.post("/v1/chat/completions", json=body)
            words, whole = answer.text.count(" tok@"), answer.text.endswith("data: [DONE]\n\n")
            self.answers.append((answer.status_code, words, whole))


@contextlib.contextmanager
def processes(redis_url: str, folder: pathlib.Path) -> Iterator[tuple[int, psutil.Process, str]]:
    """A backend with TLS, and a gateway: its port, its process and its encryption key."""
    authority = Authority(folder)
    authority.server()
    [certificate] = folder.glob("server*.pem")
    plain, encrypted, port = free_port(), free_port(), free_port()
    command = [sys.executable, "-m", "bench.upstream", str(plain), str(encrypted)]
    tests = str(pathlib.Path(__file__).parents[1])
    upstream = {"PYTHONPATH": tests, **pretended_time()}
    with running([*command, str(certificate)], plain, log=None, **upstream):
        key = seed(redis_url)
        environ = {
            "REDIS_URL": redis_url,
            "ENCRYPTION_KEYS": key,
            "CODEX_BASE_URL": f"https://127.0.0.1:{encrypted}/backend-api/codex",
            "SSL_CERT_FILE": str(authority.path),
            "API_KEY_POLICY": "required",
            "LOG_LEVEL": "warning",
            "PORT": str(port),
            **pretended_time(),
        }
        command = [sys.executable, "-m", "codex_proapi.gateway"]
        with running(command, port, log=None, **environ) as process:
            yield port, process, key


def a_client(port: int, secret: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}",
        headers={"authorization": f"Bearer {secret}", "content-type": "application/json"},
        timeout=120,
        trust_env=False,
    )


async def asked_at_once(
    port: int, *, giant: str, other: str
) -> tuple[list[httpx.Response], Streams]:
    """The answers to all bodies of one key, and the streams another key had meanwhile."""
    body = a_large_body()
    async with a_client(port, giant) as large, a_client(port, other) as small:
        streams = Streams(small)
        reading = asyncio.ensure_future(streams.run())
        answers = await asyncio.gather(
            *(large.post("/v1/responses", content=body) for _ in range(BODIES))
        )
        streams.end()
        await reading
    return answers, streams


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_six_bodies_of_one_key_fit_into_a_gigabyte_and_break_no_stream_of_another(
    redis_url: str, tmp_path: pathlib.Path
) -> None:
    async def keys(key: str) -> list[str]:
        redis = Redis.from_url(redis_url, decode_responses=True)
        store = KeyStore(redis, CredentialCipher([key]))
        made = [(await store.create(name))[1] for name in ("giant", "other")]
        await redis.aclose()
        return made

    with processes(redis_url, tmp_path) as (port, process, key):
        giant, other = asyncio.run(keys(key))
        before = resident_mib(process)
        answers, streams = asyncio.run(asked_at_once(port, giant=giant, other=other))
        most = peak_mib(process)
        until(lambda: resident_mib(process) < before + KEPT_MIB)

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200, 200, 200, 200, 503, 503], "four fit into BODY_MEMORY_MIB"
    for answer in answers:
        if answer.status_code == 200:
            assert b'"type":"response.completed"' in answer.content
        else:
            assert answer.json()["error"]["code"] == "server_overloaded"
            assert "large requests" in answer.json()["error"]["message"]
    assert len(streams.answers) >= STREAMS
    assert set(streams.answers) == {(200, WORDS, True)}
    assert most < MOST_MIB
    print(f"\npeak {most:.0f} MiB, {len(streams.answers)} other streams")
