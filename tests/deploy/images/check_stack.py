"""The images and the compose stack in a real dockerd, with a real client, a rollout and a crash."""

import asyncio
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from bench.marker import Marker
from deploy.images.daemon import Docker, daemon, make_base, make_stand_ins
from deploy.images.stack import SERVICES, Stack
from deploy.live.check_monitoring import post
from deploy.live.check_rolling import report, until
from deploy.live.clients import crowded, session
from deploy.live.stage import Process
from deploy.toolbox import DEPLOY, TOOLS, version
from support.free_ports import free_port
from support.tree import ROOT

TAG = version()
OURS = ("gateway", "console", "standalone")
WORDS = Marker(deltas=40, gap_ms=200, per_write=1)


@pytest.fixture(scope="module")
def docker() -> Iterator[Docker]:
    # Not below the temporary folder of pytest, whose path is too long for a socket.
    folder = TOOLS / "docker"
    folder.mkdir(parents=True, exist_ok=True)
    with daemon(folder) as made:
        yield made


@pytest.fixture(scope="module")
def images(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> Docker:
    folder = tmp_path_factory.mktemp("images")
    began = time.monotonic()
    make_base(docker)
    print(f"\nbase image after {time.monotonic() - began:.0f} s")
    make_stand_ins(docker, folder)
    print(f"stand-ins after {time.monotonic() - began:.0f} s")
    for target in OURS:
        docker.build(target, f"codex-proapi/{target}:{TAG}", folder)
        print(f"{target} after {time.monotonic() - began:.0f} s")
    return docker


@pytest.fixture(scope="module")
def stack(images: Docker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    shutil.copytree(
        DEPLOY, folder / "deploy", ignore=shutil.ignore_patterns("secrets", ".env", "local")
    )
    made = Stack(images, folder)
    try:
        subprocess.run(["bash", str(folder / "deploy/compose/secrets.sh")], check=True)
        began = time.monotonic()
        made.start()
        print(f"\ncompose up --wait: {time.monotonic() - began:.0f} s")
        auth = post(made.simulator, "/_simulator/accounts/ada/login", {"expires_in": 36_000})
        made.command("accounts", "import", "-", "--name", "ada", fed=auth.decode())
        found = re.search(r"cpa-[\w-]+", made.command("keys", "create", "laptop"))
        assert found
        made.key = found[0]
        yield made
    finally:
        made.compose("down", "--volumes", "--timeout", "5")
        made.close()


# --- the images ----------------------------------------------------------------------------------


def facts(docker: Docker, target: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(docker.run("inspect", f"codex-proapi/{target}:{TAG}"))[0]
    return found


@pytest.mark.parametrize("target", OURS)
def test_an_image_says_what_it_is_and_runs_as_nobody(images: Docker, target: str) -> None:
    config = facts(images, target)["Config"]

    assert config["User"] == "10001:10001"
    assert config["Labels"]["org.opencontainers.image.version"] == TAG
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert config["Entrypoint"][0].startswith("/app/bin/")


@pytest.mark.parametrize("target", OURS)
def test_an_image_has_no_installer_and_a_bill_of_materials(images: Docker, target: str) -> None:
    image = f"codex-proapi/{target}:{TAG}"
    base = int(json.loads(images.run("inspect", "codex-proapi-base:bookworm"))[0]["Size"])
    size = int(facts(images, target)["Size"])
    listing = images.run(
        "run",
        "--rm",
        "--entrypoint",
        "/app/bin/python",
        image,
        "-c",
        "print(open('/app/sbom.cdx.json').read())",
    )
    bill = json.loads(listing)
    names = {component["name"] for component in bill["components"]}

    print(f"\n{target}: {(size - base) / 1e6:.0f} MB on top of the base, {len(names)} components")
    assert images.attempt(
        "run", "--rm", "--entrypoint", "/app/bin/python", image, "-m", "pip"
    ).returncode
    assert {
        f"codex-proapi-{target}" if target != "standalone" else "codex-proapi",
        "msgspec",
        "python",
    } <= names
    # The wall made of absence: one service is not there in the other's image.
    absent = {"gateway": "codex-proapi-console", "console": "codex-proapi-gateway"}.get(target)
    assert absent not in names


def test_a_missing_dependency_stops_the_build(images: Docker, tmp_path: pathlib.Path) -> None:
    """The planted fault: a module of the gateway that imports what only the console declares."""
    context = tmp_path / "context"
    shutil.copytree(
        *(ROOT, context),
        ignore=shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "node_modules"),
    )
    context.joinpath("services/gateway/src/codex_proapi/gateway/stray.py").write_text(
        "import jinja2\n"
    )
    config = tmp_path / "pip.conf"
    config.write_text("[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n")
    done = images.attempt(
        *("build", "--file", context / "deploy/Dockerfile", "--target", "gateway"),
        *("--build-arg", "BASE_IMAGE=codex-proapi-base:bookworm", "--network", "host"),
        *("--secret", f"id=pipconf,src={config}"),
        *("--secret", "id=ca,src=/etc/ssl/certs/ca-certificates.crt", context),
    )

    assert done.returncode != 0
    assert "No module named 'jinja2'" in done.stdout + done.stderr


@pytest.mark.parametrize("mounted", ["volume", "folder"])
def test_the_standalone_image_serves_by_itself(
    images: Docker, tmp_path: pathlib.Path, mounted: str
) -> None:
    name, port = "codex-proapi-alone", free_port()
    data: tuple[str, ...] = ("--volume", "codex-proapi-alone:/data")
    if mounted == "folder":
        # As the readme has it: a folder of somebody without a name in the container.
        os.chown(tmp_path, 4242, 4242)
        data = ("--user", "4242:4242", "--volume", f"{tmp_path}:/data")
    images.run(
        *("run", "--detach", "--name", name, "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"),  # noqa: S108
        *(*data, "--publish", f"127.0.0.1:{port}:1455"),
        f"codex-proapi/standalone:{TAG}",
    )
    try:
        alone = Process(name, [], folder=pathlib.Path("/"), port=port)
        for _ in range(300):
            if alone.status("/readyz") == 200:
                break
            time.sleep(0.1)
        assert alone.status("/readyz") == 200, images.attempt("logs", name).stderr
        assert alone.status("/v1/models") == 401
    finally:
        images.run("rm", "--force", "--volumes", name)
        images.run("volume", "rm", "--force", "codex-proapi-alone")


# --- the stack -----------------------------------------------------------------------------------


def test_every_container_is_up_and_hardened(stack: Stack) -> None:
    ids = stack.compose("ps", "--quiet").split()
    found = json.loads(stack.docker.run("inspect", *ids))

    assert len(found) == len(SERVICES)
    for each in found:
        name, state, host = each["Name"], each["State"], each["HostConfig"]
        assert state["Running"], name
        assert state.get("Health", {"Status": "healthy"})["Status"] == "healthy", name
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert host["Memory"], name


def test_a_real_client_is_answered_through_the_ingress(stack: Stack) -> None:
    client = openai.OpenAI(base_url=f"{stack.url}/v1", api_key=stack.key, max_retries=0)
    with client:
        words = [
            chunk.choices[0].delta.content or ""
            for chunk in client.chat.completions.create(
                model="gpt-5.5",
                stream=True,
                messages=[{"role": "user", "content": f"Say hello {Marker(5, 20, 1)}"}],
            )
            if chunk.choices
        ]
        answer = client.responses.create(model="gpt-5.5", input="Say hello")

    assert "".join(words).count("tok@") == 5
    assert answer.status == "completed"


def test_a_key_is_asked_for(stack: Stack) -> None:
    with (
        openai.OpenAI(base_url=stack.url, api_key="cpa-wrong", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.models.list()


async def test_the_console_is_behind_the_same_address(stack: Stack) -> None:
    async with session() as client:
        page = {"accept": "text/html"}
        async with client.get(f"{stack.url}/", headers=page, allow_redirects=False) as answer:
            # A page or the way to signing in, and in any case the console's own.
            assert answer.status in {200, 302, 303, 401}
            assert "content-security-policy" in answer.headers
        async with client.get(f"{stack.url}/metrics") as answer:
            assert answer.status == 404


def test_prometheus_scrapes_everything(stack: Stack) -> None:
    prometheus = Process("prometheus", [], folder=stack.folder, port=stack.prometheus_port)
    for _ in range(60):
        targets = json.loads(prometheus.get("/api/v1/targets"))["data"]["activeTargets"]
        if all(target["health"] == "up" for target in targets):
            break
        time.sleep(1)

    assert {t["labels"]["job"] for t in targets} == {"gateway", "console", "redis", "prometheus"}
    assert {t["health"] for t in targets} == {"up"}, targets
    rules = json.loads(prometheus.get("/api/v1/rules"))["data"]["groups"]
    assert sum(len(group["rules"]) for group in rules) > 20


async def test_a_rollout_breaks_no_stream(stack: Stack) -> None:
    """`make compose-roll` with a new version, while a hundred clients stream."""
    for target in ("gateway", "console"):
        stack.docker.run("tag", f"codex-proapi/{target}:{TAG}", f"codex-proapi/{target}:next")
    headers = {"authorization": f"Bearer {stack.key}"}
    folder = stack.folder / "bin"
    folder.mkdir()
    # roll.sh takes `docker compose` where that works, else docker-compose from the PATH.
    folder.joinpath("docker").symlink_to("/bin/false")
    script = (stack.folder / "deploy/compose/roll.sh").read_text()
    last = '"${compose[@]}" up --detach --wait'
    assert last in script
    stack.folder.joinpath("deploy/compose/roll.sh").write_text(
        script.rstrip().removesuffix(last) + f"{last} {' '.join(SERVICES)}\n"
    )
    async with crowded(stack.url, streams=100, marker=WORDS, headers=headers) as crowd:
        await until(lambda: len(crowd.short) > 20, "answers")
        rolled = await asyncio.create_subprocess_exec(
            "bash",
            str(stack.folder / "deploy/compose/roll.sh"),
            env={
                **stack.environment,
                "IMAGE_TAG": "next",
                "PATH": f"{folder}:{stack.environment['PATH']}",
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await rolled.communicate()

    print("\n" + report("rollout", crowd))
    assert rolled.returncode == 0, said.decode()
    running = stack.compose("ps", "--format", "json", IMAGE_TAG="next")
    assert running.count("codex-proapi/gateway:next") == 2
    assert not crowd.broken, report("rollout", crowd)
    assert not crowd.failed(), report("rollout", crowd)


def is_gone(pid: int) -> bool:
    """Whether a process has ended, its sockets closed; nobody may have waited for it yet.

    They are open until its last thread has ended, which may be later than the first.
    """
    try:
        threads = [each.name for each in pathlib.Path(f"/proc/{pid}/task").iterdir()]
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return threads == [str(pid)] and state == "Z"


async def test_a_crashed_gateway_comes_back_and_breaks_only_its_own(stack: Stack) -> None:
    headers = {"authorization": f"Bearer {stack.key}"}
    async with crowded(stack.url, streams=40, marker=WORDS, headers=headers) as crowd:
        await until(lambda: len(crowd.short) > 20, "answers")
        container = stack.compose("ps", "--quiet", "gateway-a", IMAGE_TAG="next").strip()
        before = json.loads(stack.docker.run("inspect", container))[0]
        os.kill(before["State"]["Pid"], signal.SIGKILL)
        # Until it is gone the kernel takes connections in its name, and resets them.
        await until(lambda: is_gone(before["State"]["Pid"]), "the end of the process")
        killed = time.monotonic()
        await until(lambda: crowd.broken, "streams of the killed one")

        def back() -> bool:
            state = json.loads(stack.docker.run("inspect", container))[0]
            healthy: bool = state["State"].get("Health", {}).get("Status") == "healthy"
            return healthy and state["RestartCount"] == 1

        await until(back, "the container")

    print("\n" + report("crash", crowd))
    said = stack.compose("logs", "--no-color", "--tail", "60", "ingress", IMAGE_TAG="next")
    assert len(crowd.broken) < 40
    assert not [one for one in crowd.broken if one.began > killed], said
    # Until the ingress has noticed, a request is sent to another one.
    assert not crowd.failed(since=killed), said


def test_logs_hold_no_secret(stack: Stack) -> None:
    logs = stack.compose("logs", "--no-color", IMAGE_TAG="next")
    secrets = stack.folder / "deploy/compose/secrets"

    assert "exchange.settled" in logs
    assert stack.key not in logs
    for name in ("encryption_keys", "redis_password", "admin_password"):
        assert secrets.joinpath(name).read_text() not in logs
    assert not re.search(r"eyJ[\w-]{20}", logs)
