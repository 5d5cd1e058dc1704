"""What the benchmark measures: the upstream directly, nginx before it, and the gateway before it."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
from bench.seed import seed
from support.redis_server import RedisServer

NGINX = """
worker_processes 1; daemon off; pid {folder}/pid; error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  upstream u {{ server 127.0.0.1:{upstream}; keepalive 512; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096; client_max_body_size 64m;
    location / {{
      proxy_pass http://u; proxy_http_version 1.1; proxy_set_header connection "";
      proxy_buffering off;
    }}
  }}
}}
"""


@dataclass(frozen=True)
class Target:
    """Where to send the load, and whose CPU to count."""

    name: str
    port: int
    path: str
    process: psutil.Process | None


def free_port() -> int:
    """A port of this machine nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


def wait_for(port: int) -> None:
    """Wait until somebody listens."""
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}")


@contextlib.contextmanager
def running(command: list[str], port: int, **environment: str) -> Iterator[psutil.Process]:
    with subprocess.Popen(command, env={**os.environ, **environment}) as process:
        try:
            wait_for(port)
            yield psutil.Process(process.pid)
        finally:
            process.terminate()


@contextlib.contextmanager
def targets() -> Iterator[list[Target]]:
    """Everything started, with an account and its token in a Redis of its own."""
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream = free_port()
        python = sys.executable
        stack.enter_context(running([python, "-m", "bench.upstream", str(upstream)], upstream))
        chat, responses = "/v1/chat/completions", "/backend-api/codex/responses"
        found = [Target("direct", upstream, responses, None)]
        if nginx := shutil.which("nginx"):
            port = free_port()
            config = folder / "nginx.conf"
            config.write_text(NGINX.format(folder=folder, port=port, upstream=upstream))
            process = stack.enter_context(running([nginx, "-c", str(config)], port))
            found.append(Target("nginx", port, responses, process))
        else:
            print("nginx is not on the PATH: left out\n")
        gateway = free_port()
        environment = _environment(stack, folder, upstream, gateway)
        process = stack.enter_context(
            running([python, "-m", "codex_proapi.gateway"], gateway, **environment)
        )
        found.append(Target("gateway, chat", gateway, chat, process))
        found.append(Target("gateway, responses", gateway, "/v1/responses", process))
        yield found


def _environment(
    stack: contextlib.ExitStack, folder: pathlib.Path, upstream: int, port: int
) -> dict[str, str]:
    """The gateway's settings, after an account was put into its Redis."""
    redis = stack.enter_context(RedisServer())
    keys = seed(redis.url)
    return {
        "PORT": str(port),
        "REDIS_URL": redis.url,
        "ENCRYPTION_KEYS": keys,
        "API_KEY_POLICY": "open",
        "CODEX_BASE_URL": f"http://127.0.0.1:{upstream}/backend-api/codex",
        "DATA_DIR": str(folder),
        "LOG_LEVEL": "warning",
    }
