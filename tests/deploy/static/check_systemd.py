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


def start_faults(text: str) -> list[str]:
    """What would keep the unit from starting, from its network, or give it more than it needs."""
    said = lines(text)
    found = []
    if not said["ExecStart"].endswith("/codex-proapi serve"):
        found.append(f"it runs {said['ExecStart']}")
    if not said["EnvironmentFile"].startswith("-"):
        found.append("it does not start without a file of settings")
    # The embedded store is asked over a socket file, the backend over either family.
    families = set(said.get("RestrictAddressFamilies", "").split())
    if families != {"AF_INET", "AF_INET6", "AF_UNIX"} or said.get("PrivateNetwork", "no") != "no":
        found.append(f"it may use {sorted(families)}")
    if {said.get("User"), said.get("Group")} != {"codex-proapi"}:
        found.append(f"it is {said.get('User')}")
    if said.get("WantedBy") != "multi-user.target" or said.get("After") != said.get("Wants"):
        found.append("it does not come with the machine, or comes before the network")
    narrow = {
        **dict.fromkeys(("NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices"), "yes"),
        "ProtectSystem": "strict",
        "CapabilityBoundingSet": "",
        "SystemCallFilter": "@system-service",
    }
    found += [f"{name} is {said.get(name)}" for name in narrow if said.get(name) != narrow[name]]
    return found


def test_a_stop_lets_streams_finish_and_the_store_last() -> None:
    assert stop_faults(UNIT.read_text()) == []


def test_it_starts_with_the_machine_and_has_what_it_needs_and_no_more() -> None:
    assert start_faults(UNIT.read_text()) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("codex-proapi serve", "codex-proapi demo"),
        ("EnvironmentFile=-/", "EnvironmentFile=/"),
        (" AF_UNIX", ""),
        (" AF_INET6", ""),
        ("LockPersonality=yes", "PrivateNetwork=yes"),
        ("User=codex-proapi", "User=root"),
        ("After=network-online.target\n", ""),
        ("multi-user.target", "graphical.target"),
        ("NoNewPrivileges=yes", "NoNewPrivileges=no"),
        ("ProtectSystem=strict", "ProtectSystem=full"),
        ("=@system-service", "=@basic-io"),
    ],
)
def test_a_unit_that_has_too_little_or_too_much_is_found(old: str, new: str) -> None:
    text = UNIT.read_text()
    assert old in text

    assert start_faults(text.replace(old, new))


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
