"""What the benchmark measures: the upstream directly, nginx before it, and gateways before it.

The lean gateway has one account, no keys and a quiet log; the others have what a team has: TLS to
the upstream, twenty or two hundred accounts, a key with limits that shares with another one, fair
shares of slots, and a log line for each request.
"""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import IO

import psutil
from bench.seed import seed, seed_team
from support.certificates import Authority
from support.free_ports import free_port
from support.redis_server import RedisServer

NGINX = """
worker_processes 1; daemon off; pid {folder}/pid; error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  upstream u {{ server 127.0.0.1:{upstream}; keepalive 512; }}
  upstream t {{ server 127.0.0.1:{tls_upstream}; keepalive 512; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096; client_max_body_size 64m;
    location / {{
      proxy_pass http://u; proxy_http_version 1.1; proxy_set_header connection "";
      proxy_buffering off;
    }}
  }}
  server {{
    listen 127.0.0.1:{tls_port} backlog=4096; client_max_body_size 64m;
    location / {{
      proxy_pass https://t; proxy_http_version 1.1; proxy_set_header connection "";
      proxy_buffering off; proxy_ssl_verify off;
    }}
  }}
}}
"""

PROAPI_UPSTREAM = """
const fetched = globalThis.fetch;
console.error = () => {};
globalThis.fetch = (url, options) => fetched(url.replace("https://chatgpt.com", process.env.UPSTREAM), options);
"""
"""codex-proapi has the backend's address as a constant; loaded before it, this puts the benchmark's in its place.

It prints a stack for each body that is too large for it, which nobody needs here.
"""
PROAPI = "codex-proapi"


@dataclass(frozen=True)
class Target:
    """Where to send the load, and whose CPU to count."""

    name: str
    port: int
    path: str
    process: psutil.Process | None
    key: str = "bench"
    """The API key of its clients."""
    beside: str = "nginx"
    """The nginx it is compared with: over plain or encrypted connections to the upstream."""


def wait_for(port: int) -> None:
    """Wait until somebody listens."""
    for _ in range(1200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}")


@contextlib.contextmanager
def running(
    command: list[str], port: int, *, log: IO[bytes] | None = None, **environment: str
) -> Iterator[psutil.Process]:
    """A process that listens on a port; what it prints goes to the log, if one is given."""
    with subprocess.Popen(command, env={**os.environ, **environment}, stdout=log) as process:
        try:
            wait_for(port)
            yield psutil.Process(process.pid)
        finally:
            process.terminate()


CHAT, RESPONSES, MESSAGES, BACKEND = (
    *("/v1/chat/completions", "/v1/responses", "/v1/messages"),
    "/backend-api/codex/responses",
)


class Bench:
    """The processes of one benchmark, each started when it is asked for and ended with it."""

    def __init__(self, stack: contextlib.ExitStack, *, profile: pathlib.Path | None = None) -> None:
        """Args: `profile` is where each gateway leaves a flame graph as it ends."""
        self._stack = stack
        self._profile = profile
        self.folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.authority = Authority(self.folder)
        self.authority.server()
        [certificate] = self.folder.glob("server*.pem")
        self.upstream, self.tls_upstream = free_port(), free_port()
        command = [sys.executable, "-m", "bench.upstream", str(self.upstream)]
        command += [str(self.tls_upstream), str(certificate)]
        stack.enter_context(running(command, self.upstream))

    def __repr__(self) -> str:
        return f"<Bench with its upstream on {self.upstream}>"

    def connections(self) -> int:
        """How many connections the upstream has had."""
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.upstream}/bench/connections"
        ) as answer:
            return int(answer.read())

    def nginx(self) -> list[Target]:
        """One nginx before the upstream, over plain and over encrypted connections."""
        found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        if not found:
            print("nginx is not installed: nothing to compare with\n")
            return []
        port, tls_port = free_port(), free_port()
        config = self.folder / "nginx.conf"
        ports = {"upstream": self.upstream, "tls_upstream": self.tls_upstream}
        config.write_text(NGINX.format(folder=self.folder, port=port, tls_port=tls_port, **ports))
        process = self._stack.enter_context(running([found, "-c", str(config)], port))
        return [
            Target("nginx", port, BACKEND, process),
            Target("nginx, TLS", tls_port, BACKEND, process, beside="nginx, TLS"),
        ]

    def proapi(self) -> list[Target]:
        """codex-proapi (Node), which this project replaces, if PROAPI_FOLDER names its folder."""
        package = os.environ.get("PROAPI_FOLDER")
        if not package:
            return []
        port, data = free_port(), self.folder / "proapi"
        data.mkdir()
        accounts = data / "accounts.json"
        accounts.write_text(
            json.dumps({"accounts": [{"account_id": "bench", "access_token": "bench"}]})
        )
        (data / "upstream.mjs").write_text(PROAPI_UPSTREAM)
        environment = {
            "PORT": str(port),
            "CODEX_ACCOUNTS_FILE": str(accounts),
            "CODEX_DATA_DIR": str(data),
            "UPSTREAM": f"http://127.0.0.1:{self.upstream}",
        }
        log = self._stack.enter_context((data / "log").open("wb"))
        command = ["node", "--import", str(data / "upstream.mjs")]
        command.append(str(pathlib.Path(package).resolve() / "src" / "index.js"))
        process = self._stack.enter_context(running(command, port, log=log, **environment))
        return [Target(PROAPI, port, CHAT, process)]

    def gateway(
        self,
        *,
        tls: bool = False,
        accounts: int = 0,
        transport: str = "http",
        keys: int = 2,
        count_calls: pathlib.Path | None = None,
    ) -> tuple[int, psutil.Process, str]:
        """A gateway with a Redis of its own; without a number of accounts it is the lean one.

        It writes the number of its calls to `count_calls`, if given (`bench.profiled`).
        """
        redis = self._stack.enter_context(RedisServer())
        port, secret = free_port(), "bench"
        origin = (
            f"https://127.0.0.1:{self.tls_upstream}" if tls else f"http://127.0.0.1:{self.upstream}"
        )
        environment = {
            "PORT": str(port),
            "REDIS_URL": redis.url,
            "CODEX_BASE_URL": f"{origin}/backend-api/codex",
            "SSL_CERT_FILE": str(self.authority.path),
            "DATA_DIR": str(self.folder),
            "UPSTREAM_TRANSPORT": transport,
        }
        if accounts:
            environment["ENCRYPTION_KEYS"], secret = seed_team(redis.url, accounts, keys=keys)
            slots = {"ACCOUNT_STREAMS": "1000", "FAIR_SHARE_BELOW": "100"}
            environment |= {"API_KEY_POLICY": "required", "LOG_LEVEL": "info", **slots}
        else:
            environment["ENCRYPTION_KEYS"] = seed(redis.url)
            environment |= {"API_KEY_POLICY": "open", "LOG_LEVEL": "warning"}
        log = self._stack.enter_context((self.folder / f"gateway-{port}.log").open("wb"))
        command = [sys.executable, "-m", "codex_proapi.gateway"]
        if count_calls is not None:
            command = [sys.executable, "-m", "bench.profiled", "calls", str(count_calls)]
        elif self._profile is not None:
            kind = f"team-{accounts}" if accounts else "lean-tls" if tls else "lean"
            file = self._profile.resolve() / f"{kind}.svg"
            command = [sys.executable, "-m", "bench.profiled", "stacks", str(file)]
        process = self._stack.enter_context(running(command, port, log=log, **environment))
        return port, process, secret


TEAMS = {f"team, {accounts} accounts": accounts for accounts in (20, 200)}
LEAN = {"lean, chat": CHAT, "lean, responses": RESPONSES, "lean, messages": MESSAGES}
SOCKETS = {"lean, WebSocket": False, "lean, WebSocket, TLS": True}
"""Gateways that ask the upstream over WebSocket."""
NAMES = ("direct", "nginx", "nginx, TLS", PROAPI, *LEAN, "lean, TLS", *SOCKETS, *TEAMS)


@contextlib.contextmanager
def targets(
    wanted: Container[str] = NAMES, *, profile: pathlib.Path | None = None
) -> Iterator[tuple[Bench, list[Target]]]:
    """Everything that is wanted, started."""
    with contextlib.ExitStack() as stack:
        bench = Bench(stack, profile=profile)
        found = [Target("direct", bench.upstream, BACKEND, None), *bench.nginx()]
        if PROAPI in wanted:
            found += bench.proapi()
        if any(name in wanted for name in LEAN):
            port, process, _ = bench.gateway()
            found += [Target(name, port, path, process) for name, path in LEAN.items()]
        if "lean, TLS" in wanted:
            port, process, _ = bench.gateway(tls=True)
            found.append(Target("lean, TLS", port, CHAT, process, beside="nginx, TLS"))
        for name, encrypted in SOCKETS.items():
            if name in wanted:
                port, process, _ = bench.gateway(tls=encrypted, transport="websocket")
                beside = "nginx, TLS" if encrypted else "nginx"
                found.append(Target(name, port, CHAT, process, beside=beside))
        for name, accounts in TEAMS.items():
            if name in wanted:
                port, process, secret = bench.gateway(tls=True, accounts=accounts)
                found.append(Target(name, port, CHAT, process, secret, "nginx, TLS"))
        yield bench, [target for target in found if target.name in wanted]
