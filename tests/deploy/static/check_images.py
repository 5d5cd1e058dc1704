"""The Dockerfile as hadolint and the builder read it."""

import fnmatch
import pathlib
import re

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
