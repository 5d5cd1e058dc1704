"""The Dockerfile as hadolint and the builder read it."""

import fnmatch
import pathlib
import re

import pytest
from deploy.toolbox import DEPLOY, run
from support.tree import ROOT

DOCKERFILE = DEPLOY / "Dockerfile"


def test_hadolint_has_nothing_to_say() -> None:
    done = run("hadolint", DOCKERFILE)

    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_finds_a_fault(tmp_path: pathlib.Path) -> None:
    broken = tmp_path / "Dockerfile"
    broken.write_text(DOCKERFILE.read_text() + "\nRUN cd /tmp && sudo apt-get install curl\n")

    done = run("hadolint", broken)

    assert done.returncode != 0
    assert "DL3004" in done.stdout


def allowed(path: str) -> bool:
    """Whether .dockerignore lets a path to the builder: the last line that matches decides."""
    verdict = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        inverted = pattern.startswith("!")
        pattern = pattern.removeprefix("!")
        if fnmatch.fnmatch(path, pattern) or path.startswith(f"{pattern}/"):
            verdict = inverted
    return verdict


def test_what_is_copied_exists_and_reaches_the_builder() -> None:
    copied = re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE.read_text(), re.MULTILINE)

    assert copied
    for path in copied:
        assert (ROOT / path).exists(), path
        assert allowed(path.rstrip("/")), path


def test_no_secret_reaches_the_builder() -> None:
    assert not allowed("deploy/compose/secrets/redis_url")
    assert not allowed("deploy/compose/.env")
    assert not allowed(".git/config")


def test_every_image_runs_as_nobody_of_the_host() -> None:
    text = DOCKERFILE.read_text()
    runtime = text[text.index("AS runtime") :]

    assert "USER 10001:10001" in runtime
    assert "\nRUN " not in runtime, "what runs is only copied: no shell is needed"
    assert {"gateway", "console", "standalone"} == set(
        re.findall(r"^FROM runtime AS (\w+)", runtime, re.MULTILINE)
    )
    assert not re.findall(r"^(?:CMD|ENTRYPOINT) [^\[]", runtime, re.MULTILINE), "exec form only"


def test_scripts_of_an_image_are_on_its_path() -> None:
    assert "PATH=/app/bin:$PATH" in DOCKERFILE.read_text()


DOCKERS_PATIENCE = 10
"""Seconds after which `docker stop` kills."""


def meaning_faults(text: str) -> list[str]:
    """Where an image listens elsewhere than it says, cannot be looked at, or is killed as it ends."""
    found = []
    for image, port in (("gateway", "8080"), ("console", "8081"), ("standalone", "1455")):
        (stage,) = re.findall(
            rf"^FROM runtime AS {image}\n(.*?)(?=^FROM |\Z)", text, re.DOTALL | re.MULTILINE
        )
        said = re.findall(r"^EXPOSE (\d+)$|\bPORT=(\d+)", stage, re.MULTILINE)
        if {a or b for a, b in said} != {port} or len(said) != 2:
            found.append(f"{image} listens on {said}")
    drains = [int(each) for each in re.findall(r"\bDRAIN_SECONDS=(\d+)", text)]
    if not drains or max(drains) + 3 > DOCKERS_PATIENCE:
        found.append(f"standalone drains for {drains} s, and is killed")
    checked = re.findall(r'HEALTHCHECK .*?CMD \[.*"/app/([\w.]+)"\]', text, re.DOTALL)
    if len(checked) != 1 or not (DEPLOY / "image" / checked[0]).is_file():
        found.append(f"nothing is asked for its health: {checked}")
    every = re.findall(r"HEALTHCHECK --interval=(\d+)s", text)
    if not every or int(every[0]) > 30:
        found.append(f"its health is asked every {every} s")
    if "STOPSIGNAL SIGTERM" not in text:
        found.append("it is not told to end")
    if not re.search(
        r"COPY --from=standalone-build --chown=10001:10001 /data /data\nVOLUME /data", text
    ):
        found.append("a volume would belong to somebody else")
    return found


def content_faults(text: str) -> list[str]:
    """Images that run another's program, or what is not locked, or that nobody reaches."""
    found = []
    for image, start in (
        ("gateway", '["/app/bin/python", "-m", "codex_proapi.gateway"]'),
        ("console", '["/app/bin/python", "-m", "codex_proapi.console"]'),
        ("standalone", '["/app/bin/codex-proapi"]\nCMD ["serve"]'),
    ):
        (stage,) = re.findall(
            rf"^FROM runtime AS {image}\n(.*?)(?=^FROM |\Z)", text, re.DOTALL | re.MULTILINE
        )
        if set(re.findall(r"COPY --from=([\w-]+)", stage)) != {f"{image}-build"}:
            found.append(f"{image} holds what was built for another")
        if f"ENTRYPOINT {start}" not in stage:
            found.append(f"{image} runs something else")
        locks = re.findall(rf"AS {image}-build\n.*?\"locked\", \"(\S+)\"", text, re.DOTALL)
        if locks[:1] != [f"locks/{image}.txt"]:
            found.append(f"{image} is made from {locks[:1]}")
    runtime = text[text.index("AS runtime") :]
    told = dict(re.findall(r"\b(HOME|HOST)=(\S+)", runtime))
    if told != {"HOME": "/tmp", "HOST": "0.0.0.0"}:  # noqa: S108 - the only folder it may write to
        found.append(f"an image is told {told}")
    if "pip install --quiet --require-hashes --no-deps --only-binary :all:" not in text:
        found.append("what builds is not locked")
    first, *others = (line for line in text.splitlines() if "native-build" in line)
    if f"{first}\nARG NATIVE_CODE=on\n" not in text:
        found.append("it cannot be said whether functions are compiled")
    if others != ["COPY --from=native-build /wheels/ /wheels/"] * 3:
        found.append("an image lacks compiled functions, or has the compiler")
    return found


def test_images_hold_and_run_what_they_are_called() -> None:
    assert content_faults(DOCKERFILE.read_text()) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("COPY --from=console-build /app", "COPY --from=gateway-build /app"),
        ('"-m", "codex_proapi.console"', '"-m", "codex_proapi.gateway"'),
        ('CMD ["serve"]', 'CMD ["demo"]'),
        ("HOME=/tmp", "HOME=/root"),
        ("HOST=0.0.0.0", "HOST=127.0.0.1"),
        ("--require-hashes ", ""),
        ("ARG NATIVE_CODE=on\n", ""),
        ("FROM build AS console-build", "FROM native-build AS console-build"),
        ('"locked", "locks/console.txt"', '"locked", "locks/standalone.txt"'),
    ],
)
def test_an_image_that_holds_something_else_is_found(right: str, wrong: str) -> None:
    text = DOCKERFILE.read_text()
    assert right in text

    assert content_faults(text.replace(right, wrong))


def test_images_listen_end_and_are_looked_at_as_they_say() -> None:
    assert meaning_faults(DOCKERFILE.read_text()) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("EXPOSE 8081", "EXPOSE 8080"),
        ("ENV PORT=8080", "ENV PORT=8090"),
        ("DRAIN_SECONDS=6", "DRAIN_SECONDS=60"),
        ("/app/healthcheck.py", "/app/health.py"),
        ("STOPSIGNAL SIGTERM", "STOPSIGNAL SIGKILL"),
        ("HEALTHCHECK --interval=10s", "HEALTHCHECK --interval=600s"),
        (" --chown=10001:10001 /data", " /data"),
    ],
)
def test_an_image_that_means_something_else_is_found(right: str, wrong: str) -> None:
    text = DOCKERFILE.read_text()
    assert right in text

    assert meaning_faults(text.replace(right, wrong))
