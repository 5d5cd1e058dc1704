"""Real processes on loopback, each on a port of its own: services, a fast upstream, proxies."""

import contextlib
import http.client
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Self

from bench.seed import seed
from deploy.toolbox import DEPLOY, ENVIRONMENT, tool
from support.free_ports import free_port
from support.redis_server import RedisServer
from support.tree import ROOT

PROXIES = DEPLOY / "proxies"
UPSTREAM = (sys.executable, "-m", "bench.upstream")
"""The benchmark's upstream: its answers are shaped by a marker in the prompt."""
SETTLE = {"nginx": "0", "haproxy": "5", "caddy": "5", "traefik": "5"}
"""DRAIN_SETTLE_SECONDS of gateways behind each proxy, as docs/running.md tells to set it."""


class Process:
    """One process that can be ended, killed and started again on the same port."""

    def __init__(
        self, name: str, command: Sequence[str], *, folder: pathlib.Path, port: int, **environ: str
    ) -> None:
        self.name, self.port = name, port
        self.log = folder / f"{name}.log"
        self._command, self._environ = list(command), {**ENVIRONMENT, **environ}
        self._folder = folder
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._running is not None
        return self._running.pid

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Where it is asked over HTTP."""
        return f"http://{self.address}"

    def start(self, *, ready: str | None = None) -> None:
        """Start it and wait until it listens, or until this path answers 200."""
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                self._command, env=self._environ, cwd=self._folder, stdout=log, stderr=log
            )
        self.until(lambda: self.status(ready) == 200 if ready else listens(self.port), seconds=180)

    def until(self, holds: Callable[[], bool], *, seconds: float) -> None:
        """Wait until something holds; a process that has ended, or time, is a failure."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert self._running is not None
            assert self._running.poll() is None, f"{self.name} ended:\n{self.tail()}"
            assert time.monotonic() < deadline, f"{self.name} is not ready:\n{self.tail()}"
            time.sleep(0.05)

    def status(self, path: str) -> int:
        """Status of a GET; 0 when nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def get(self, path: str) -> str:
        """Body of a GET."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def signal(self, number: int) -> None:
        """Send a signal."""
        assert self._running is not None
        self._running.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Wait for its end; gives the exit code."""
        assert self._running is not None
        code = self._running.wait(seconds)
        self._running = None
        return code

    def kill(self) -> None:
        """End it at once, if it runs."""
        if self._running is not None:
            self._running.kill()
            self.wait(10)

    def end(self) -> None:
        """Ask it to end; kill it if it does not."""
        if self._running is not None:
            self.signal(signal.SIGTERM)
            try:
                self.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def tail(self) -> str:
        """The end of what it printed."""
        return self.log.read_text(errors="replace")[-3000:]


def listens(port: int) -> bool:
    """Whether somebody listens."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False


class Stage:
    """Everything that runs for one test, ended with it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self._stack = contextlib.ExitStack()
        self._made: list[Process] = []
        self.redis = RedisServer("--appendonly", "yes")
        self._settings: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._stack.enter_context(self.redis)
        upstream = self.process("upstream", UPSTREAM, PYTHONPATH=str(ROOT / "tests"))
        upstream.start()
        self.upstream = upstream
        self._settings = {
            "REDIS_URL": self.redis.url,
            "ENCRYPTION_KEYS": seed(self.redis.url),
            "API_KEY_POLICY": "open",
            "CODEX_BASE_URL": f"http://{upstream.address}/backend-api/codex",
            "CODEX_AUTH_URL": f"http://{upstream.address}",
            "DATA_DIR": str(self.folder),
            "LOG_LEVEL": "warning",
        }
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def process(
        self, name: str, command: Sequence[str], *, port: int = 0, **environ: str
    ) -> Process:
        """A process that is ended with the stage; its port is the last argument if none is said."""
        command = list(command)
        if not port:
            port = free_port()
            command.append(str(port))
        made = Process(name, command, folder=self.folder, port=port, **environ)
        self._stack.callback(made.end)
        self._made.append(made)
        return made

    def logs(self) -> str:
        """The end of what each process printed, for a failure."""
        told = [(each.name, each.tail()) for each in self._made if each.log.exists()]
        return "".join(f"\n--- {name}\n{text}" for name, text in told if text.strip())

    def service(self, name: str, module: str, **environ: str) -> Process:
        """A service, by the name of its package (`gateway`, `console`), not started yet."""
        port = free_port()
        command = [sys.executable, "-m", f"codex_proapi.{module}"]
        settings = {**self._settings, **environ, "PORT": str(port)}
        return self.process(name, command, port=port, **settings)

    def run_command(self, module: str, *arguments: str, **environ: str) -> str:
        """Run a command of ours to its end against this stage's Redis; gives what it printed."""
        settings = {**ENVIRONMENT, **self._settings, **environ}
        command = [sys.executable, "-m", f"codex_proapi.{module}", *arguments]
        done = subprocess.run(
            command, env=settings, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def gateways(self, count: int, **environ: str) -> list[Process]:
        """So many gateways, ready."""
        made = [self.service(f"gateway-{n}", "gateway", **environ) for n in range(count)]
        for each in made:
            each.start(ready="/readyz")
        return made

    def proxy(
        self,
        name: str,
        gateways: Sequence[Process],
        console: Process | None,
        *,
        within: Sequence[str] = (),
    ) -> Process:
        """A proxy with its configuration from deploy/proxies, for these processes.

        Args:
            name: which one.
            gateways: whom it asks.
            console: whom it asks for the rest; None: nobody is there.
            within: a command that starts it, such as `nice`.
        """
        port = free_port()
        inside = console.address if console else f"127.0.0.1:{free_port()}"
        text = aimed(proxy_text(name, port), [g.address for g in gateways], inside)
        config = self.folder / f"{name}-{port}.{SUFFIX.get(name, 'conf')}"
        config.write_text(text)
        command = [*within, *proxy_command(name, config, self.folder)]
        made = self.process(f"{name}-{port}", command, port=port, HOME=str(self.folder))
        made.start()
        return made


SUFFIX = {"traefik": "yml"}
"""Of a proxy that goes by it."""


def proxy_text(name: str, port: int) -> str:
    """The configuration of deploy/proxies on this port: of Traefik its routes, with the rest."""
    if name == "nginx":
        return nginx_around(port)
    file = {"haproxy": "haproxy.cfg", "caddy": "Caddyfile", "traefik": "traefik-routes.yml"}[name]
    if name == "traefik":
        return f"# {port}\n{(PROXIES / file).read_text()}"
    # Caddy takes an address with a host for a name that it serves.
    here = f":{port}" if name == "caddy" else f"127.0.0.1:{port}"
    return (PROXIES / file).read_text().replace(":1455", here)


def traefik_start(routes: pathlib.Path) -> pathlib.Path:
    """What Traefik starts with, for these routes on the port that their first line says."""
    port = routes.read_text().split("\n", 1)[0].removeprefix("# ")
    text = (PROXIES / "traefik.yml").read_text()
    for right, ours in (
        ('address: ":1455"', f'address: "127.0.0.1:{port}"'),
        ("/etc/traefik/traefik-routes.yml", str(routes)),
    ):
        assert right in text
        text = text.replace(right, ours)
    made = routes.with_name(f"start-{routes.name}")
    made.write_text(text)
    return made


def proxy_command(name: str, config: pathlib.Path, folder: pathlib.Path) -> list[str]:
    """What starts a proxy in the foreground."""
    if name == "traefik":
        return [tool("traefik"), f"--configFile={traefik_start(config)}"]
    return {
        "nginx": [tool("nginx"), "-e", "stderr", "-p", str(folder), "-c", str(config)],
        "haproxy": [tool("haproxy"), "-db", "-f", str(config)],
        "caddy": [tool("caddy"), "run", "--config", str(config), "--adapter", "caddyfile"],
    }[name]


def nginx_around(port: int) -> str:
    """The nginx example on this port, inside what a whole configuration needs."""
    inside = (PROXIES / "nginx.conf").read_text().replace("listen 1455", f"listen 127.0.0.1:{port}")
    return (
        "daemon off; worker_processes 1; pid nginx.pid;\nevents { worker_connections 4096; }\n"
        "http { access_log off; client_body_temp_path cb; proxy_temp_path pt;\n"
        "fastcgi_temp_path ft; uwsgi_temp_path ut; scgi_temp_path st;\n" + inside + "}\n"
    )


def aimed(text: str, gateways: Sequence[str], console: str) -> str:
    """A configuration with our gateways and console in place of the example's."""
    text = text.replace("127.0.0.1:8081", console)
    if "127.0.0.1:8080 127.0.0.1:8090" in text:  # Caddy has them on one line.
        return text.replace("127.0.0.1:8080 127.0.0.1:8090", " ".join(gateways))
    made = []
    for line in text.splitlines():
        if "127.0.0.1:8080" in line:
            for number, gateway in enumerate(gateways):
                of_this = line.replace("127.0.0.1:8080", gateway)
                made.append(re.sub(r"server a\b", f"server g{number}", of_this))
        elif "127.0.0.1:8090" not in line:
            made.append(line)
    return "\n".join(made) + "\n"
