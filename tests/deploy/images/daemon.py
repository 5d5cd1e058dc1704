"""A dockerd of our own, and images in place of those that a registry would give.

The base image is made here by debootstrap from this machine's own package source, which stays in
it: it is for these checks only and never pushed anywhere.
"""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator

from deploy.toolbox import ENVIRONMENT, TOOLS, tool
from support.tree import ROOT

BASE = "codex-proapi-base:bookworm"
PACKAGES = "python3,python3-venv,ca-certificates,redis-server,wget"
CERTIFICATES = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
TEMPLATES = "/usr/share/prometheus/alertmanager"
"""What Debian's Alertmanager reads at its start; in the image of others it is part of the program."""
STAND_INS = {
    "valkey/valkey:9.1": f"""
        FROM {BASE}
        RUN mkdir -p /data && chown 999:999 /data
    """,
    "caddy:2.10-alpine": f"""
        FROM {BASE}
        COPY caddy /usr/bin/caddy
        RUN mkdir -p /data /config
    """,
    "prom/prometheus:v3.5.0": f"""
        FROM {BASE}
        COPY prometheus /bin/prometheus
        RUN mkdir -p /prometheus && chown 65534:65534 /prometheus
        USER 65534
        ENTRYPOINT ["/bin/prometheus"]
    """,
    "prom/alertmanager:v0.28.1": f"""
        FROM {BASE}
        COPY prometheus-alertmanager /bin/alertmanager
        COPY default.tmpl email.tmpl {TEMPLATES}/
        RUN mkdir -p /alertmanager && chown 65534:65534 /alertmanager
        USER 65534
        ENTRYPOINT ["/bin/alertmanager"]
    """,
    "oliver006/redis_exporter:v1.67.0-alpine": f"""
        FROM {BASE}
        COPY prometheus-redis-exporter /redis_exporter
        USER 59000:59000
        ENTRYPOINT ["/redis_exporter"]
    """,
}
"""Images by the names compose.yaml has, each from a program of this machine."""


class Docker:
    """One daemon, on a socket of its own."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self.host = f"unix://{folder}/docker.sock"
        self.environment = {
            **ENVIRONMENT,
            "DOCKER_HOST": self.host,
            "DOCKER_BUILDKIT": "1",
            "DOCKER_CONFIG": str(folder / "config"),
        }

    def run(self, *arguments: str | pathlib.Path, fed: str | None = None) -> str:
        """A docker command that must succeed; gives what it printed."""
        done = self.attempt(*arguments, fed=fed)
        assert done.returncode == 0, (
            f"docker {arguments[0]}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        )
        return done.stdout

    def attempt(
        self, *arguments: str | pathlib.Path, fed: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A docker command that may fail."""
        # Debian's own client beside its daemon; a newer one may want plug-ins.
        debian = pathlib.Path("/usr/bin/docker")
        command = [str(debian) if debian.exists() else tool("docker"), *map(str, arguments)]
        return subprocess.run(
            command,
            env=self.environment,
            cwd=ROOT,
            input=fed,
            capture_output=True,
            text=True,
            timeout=1800,
            check=False,
        )

    def build(self, target: str, tag: str, folder: pathlib.Path) -> str:
        """One of our images, as `make images` builds it, with this machine's certificates."""
        config = folder / "pip.conf"
        config.write_text(f"[global]\ncert = {CERTIFICATES}\n")
        return self.run(
            *("build", "--file", "deploy/Dockerfile", "--target", target, "--tag", tag),
            *("--build-arg", f"BASE_IMAGE={BASE}", "--network", "host"),
            *("--secret", f"id=pipconf,src={config}", "--secret", f"id=ca,src={CERTIFICATES}"),
            ".",
        )


@contextlib.contextmanager
def daemon(folder: pathlib.Path) -> Iterator[Docker]:
    """Start a daemon, and leave the machine as it was."""
    assert os.geteuid() == 0, "dockerd needs root"
    docker = Docker(folder)
    before = firewall()
    log = (folder / "dockerd.log").open("wb")
    command = [
        *(
            tool("dockerd"),
            "--data-root",
            str(folder / "data"),
            "--exec-root",
            str(folder / "exec"),
        ),
        *("-H", docker.host, "-p", str(folder / "docker.pid")),
        *("--bip", "10.201.0.1/24", "--default-address-pool", "base=10.202.0.0/16,size=24"),
    ]
    process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        for _ in range(300):
            if docker.attempt("version").returncode == 0:
                break
            assert process.poll() is None, (folder / "dockerd.log").read_text()[-3000:]
            time.sleep(0.1)
        yield docker
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        log.close()
        subprocess.run(
            ["umount", str(folder / "exec" / "netns" / "default")], check=False, capture_output=True
        )
        subprocess.run(["ip", "link", "del", "docker0"], check=False, capture_output=True)
        subprocess.run(
            ["iptables-restore"], input=before, text=True, check=False, capture_output=True
        )


def firewall() -> str:
    """The rules of this machine as they are, without what an earlier daemon may have left."""
    saved = subprocess.run(["iptables-save"], capture_output=True, text=True, check=False).stdout
    ours = re.compile(r"DOCKER|docker0|\bbr-|10\.20[12]\.|172\.31\.145\.")
    kept = "\n".join(line for line in saved.splitlines() if not ours.search(line))
    kept = re.sub(r"^:FORWARD DROP", ":FORWARD ACCEPT", kept, flags=re.MULTILINE)
    # A table nobody had used is not told of, and would not be emptied.
    for table, chains in {
        "filter": ("INPUT", "FORWARD", "OUTPUT"),
        "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    }.items():
        if f"*{table}" not in kept:
            empty = "".join(f":{chain} ACCEPT [0:0]\n" for chain in chains)
            kept += f"\n*{table}\n{empty}COMMIT"
    return kept.strip() + "\n"


def make_base(docker: Docker) -> None:
    """The base image, from a folder that is made once and kept."""
    archive = TOOLS / "base-bookworm-wget.tar"
    if not archive.exists():
        root = TOOLS / "rootfs"
        shutil.rmtree(root, ignore_errors=True)
        source = pathlib.Path("/etc/apt/sources.list.d/debian.sources").read_text()
        mirror = re.findall(r"^URIs: (\S+)", source, re.MULTILINE)[0]
        subprocess.run(
            [
                *(tool("debootstrap"), "--variant=minbase", f"--include={PACKAGES}"),
                *("bookworm", str(root), mirror),
            ],
            check=True,
            capture_output=True,
            timeout=900,
        )
        shutil.rmtree(root / "var/cache/apt", ignore_errors=True)
        shutil.rmtree(root / "var/lib/apt/lists", ignore_errors=True)
        subprocess.run(["tar", "-C", str(root), "-cf", f"{archive}.part", "."], check=True)
        pathlib.Path(f"{archive}.part").rename(archive)
        shutil.rmtree(root)
    docker.run("import", str(archive), BASE)


def make_stand_ins(docker: Docker, folder: pathlib.Path) -> None:
    """The images of others, by the names they have in compose.yaml."""
    context = folder / "stand-ins"
    context.mkdir()
    for name in ("caddy", "prometheus", "prometheus-alertmanager", "prometheus-redis-exporter"):
        shutil.copy(pathlib.Path(tool(name)).resolve(), context / name)
    for path in pathlib.Path(TEMPLATES).glob("*.tmpl"):
        shutil.copy(path, context)
    for tag, text in STAND_INS.items():
        dockerfile = "\n".join(line.strip() for line in text.strip().splitlines())
        context.joinpath("Dockerfile").write_text(dockerfile + "\n")
        docker.run("build", "--network", "none", "--tag", tag, context)
