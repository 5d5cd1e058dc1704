"""The unit: understood by systemd, and patient enough for a drain."""

import pathlib
import shutil

import pytest
from deploy.toolbox import DEPLOY, ENVIRONMENT, run

UNIT = DEPLOY / "systemd" / "codex-proapi.service"


MOST_FILES = 8000
"""Of the connections that a gateway takes, and as many to the backend."""


def lines(text: str) -> dict[str, str]:
    """The unit's settings; none stands twice."""
    pairs = [line.partition("=")[::2] for line in text.splitlines() if line[:1].isalpha()]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def stop_faults(text: str) -> list[str]:
    """What would break streams, or the store, when the unit is stopped."""
    said = lines(text)
    environment = dict(pair.split("=", 1) for pair in said["Environment"].split())
    found = []
    if int(said["TimeoutStopSec"]) < int(environment["DRAIN_SECONDS"]) + 20:
        found.append("it is killed while it drains")
    if said.get("KillMode") != "mixed":
        found.append("the store is told to stop with the services that write to it")
    if environment["DATA_DIR"] != f"/var/lib/{said['StateDirectory']}":
        found.append("its folder is not the one it may write to")
    if said.get("Restart") not in {"on-failure", "always"}:
        found.append("it does not come back")
    if int(said.get("LimitNOFILE", 0)) < MOST_FILES:
        found.append("streams find no open file")
    if said.get("UMask") != "0077" or said.get("StateDirectoryMode") != "0700":
        found.append("others may read its data")
    return found


def test_a_stop_lets_streams_finish_and_the_store_last() -> None:
    assert stop_faults(UNIT.read_text()) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("TimeoutStopSec=90", "TimeoutStopSec=30"),
        ("KillMode=mixed", "KillMode=control-group"),
        ("StateDirectory=codex-proapi", "StateDirectory=codex"),
        ("Restart=on-failure", "Restart=no"),
        ("LimitNOFILE=65536", "LimitNOFILE=1024"),
        ("UMask=0077", "UMask=0022"),
        ("StateDirectoryMode=0700", "StateDirectoryMode=0755"),
    ],
)
def test_a_hasty_stop_is_found(old: str, new: str) -> None:
    assert stop_faults(UNIT.read_text().replace(old, new))


def refused(text: str, folder: pathlib.Path) -> str:
    """What systemd has against a unit; its program and its user are not on this machine."""
    text = text.replace("/usr/local/bin/codex-proapi serve", "/bin/true")
    unit = folder / "codex-proapi.service"
    unit.write_text(text.replace("=codex-proapi\nGroup=codex-proapi", "=root\nGroup=root"))
    done = run("systemd-analyze", "verify", unit)
    return "".join(
        line for line in (done.stdout + done.stderr).splitlines() if "codex-proapi.service" in line
    )


@pytest.mark.skipif(
    not shutil.which("systemd-analyze", path=ENVIRONMENT["PATH"]), reason="systemd is not here"
)
def test_systemd_understands_the_unit(tmp_path: pathlib.Path) -> None:
    assert refused(UNIT.read_text(), tmp_path) == ""
    assert "KilMode" in refused(UNIT.read_text().replace("KillMode", "KilMode"), tmp_path)
