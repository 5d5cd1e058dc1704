"""The compose stack as its checks run it: in a real dockerd, with a backend on this machine."""

import pathlib
import subprocess
import sys

from deploy.images.daemon import Docker
from deploy.live.stage import UPSTREAM, Process
from deploy.toolbox import tool
from support.free_ports import free_port
from support.tree import ROOT

SERVICES = (
    *("gateway-a", "gateway-b", "console", "redis", "ingress"),
    *("redis-exporter", "prometheus", "alertmanager"),
)
"""All but Grafana, whose image cannot be made from anything at hand."""
HOST = "172.31.145.1"
"""This machine, as the containers see it."""


class Stack:
    """The compose stack, its backend on this machine, and what a user has of it."""

    def __init__(self, docker: Docker, folder: pathlib.Path) -> None:
        self.docker, self.folder = docker, folder
        self.port, self.prometheus_port = free_port(), free_port()
        self._running: list[Process] = []
        backend = self._backend()
        self.environment = {
            **docker.environment,
            "PORT": str(self.port),
            "PROMETHEUS_LISTEN": f"127.0.0.1:{self.prometheus_port}",
            "GRAFANA_LISTEN": f"127.0.0.1:{free_port()}",
            **backend,
        }
        self.key = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def compose(self, *arguments: str, fed: str | None = None, **environ: str) -> str:
        files = ["-f", str(self.folder / "deploy/compose/compose.yaml")]
        done = subprocess.run(
            [tool("docker-compose"), *files, *arguments],
            env={**self.environment, **environ},
            input=fed,
            capture_output=True,
            text=True,
            timeout=1200,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout

    def start(self) -> None:
        """Start it and wait until every container is healthy; a failure tells what they printed."""
        try:
            self.compose("up", "--detach", "--wait", "--no-build", "--pull", "never", *SERVICES)
        except AssertionError:
            print(self.compose("ps", "--all"), self.compose("logs", "--no-color", "--tail", "30"))
            raise

    def command(self, *arguments: str, fed: str | None = None) -> str:
        """Our command line, as the manual says: in the console's own container."""
        return self.compose("exec", "-T", "console", "codex-proapi", *arguments, fed=fed)

    def close(self) -> None:
        for each in self._running:
            each.end()

    def _backend(self) -> dict[str, str]:
        """A fast upstream and the simulator's logins, reachable from the containers."""
        upstream, simulator = free_port(), free_port()
        self._start("upstream", [*UPSTREAM, str(upstream)], upstream)
        of_simulator = [sys.executable, "-m", "codex_proapi.simulator", "--port", str(simulator)]
        self.simulator = self._start("simulator", of_simulator, simulator)
        found = {}
        for name, inside in (("CODEX_BASE_URL", upstream), ("CODEX_AUTH_URL", simulator)):
            port = free_port()
            command = [tool("caddy"), "reverse-proxy", "--from", f"http://:{port}"]
            self._start(f"relay-{name}", [*command, "--to", f"127.0.0.1:{inside}"], port)
            path = "/backend-api/codex" if name == "CODEX_BASE_URL" else ""
            found[name] = f"http://{HOST}:{port}{path}"
        return found

    def _start(self, name: str, command: list[str], port: int) -> Process:
        told = {"HOME": str(self.folder), "PYTHONPATH": str(ROOT / "tests")}
        made = Process(name, command, folder=self.folder, port=port, **told)
        made.start()
        self._running.append(made)
        return made
