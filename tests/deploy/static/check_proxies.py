"""The proxy configurations in deploy/proxies, by the proxies' own checkers."""

import pathlib

import pytest
from deploy.toolbox import DEPLOY, run

PROXIES = DEPLOY / "proxies"


def refused(name: str, text: str, folder: pathlib.Path) -> str:
    """What the proxy says against a configuration; empty when nothing."""
    path = folder / name
    path.write_text(text)
    match name:
        case "nginx.conf":
            whole = folder / "whole.conf"
            whole.write_text(
                f"pid {folder}/pid; error_log stderr; events {{}}\n"
                f"http {{ access_log off; include {path}; }}\n"
            )
            done = run("nginx", "-t", "-q", "-p", folder, "-e", "stderr", "-c", whole)
        case "haproxy.cfg":
            done = run("haproxy", "-c", "-f", path)
        case _:
            done = run("caddy", "validate", "--config", path, "--adapter", "caddyfile")
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize("name", ["nginx.conf", "haproxy.cfg", "Caddyfile"])
def test_the_proxy_understands_its_configuration(name: str, tmp_path: pathlib.Path) -> None:
    assert refused(name, (PROXIES / name).read_text(), tmp_path) == ""


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("nginx.conf", "proxy_buffering", "proxy_bufering"),
        ("haproxy.cfg", "option httpchk", "option httpcheck"),
        ("Caddyfile", "lb_policy", "lb_polity"),
    ],
)
def test_a_misspelt_directive_is_refused(
    name: str, right: str, wrong: str, tmp_path: pathlib.Path
) -> None:
    text = (PROXIES / name).read_text()
    assert right in text

    assert wrong.rsplit(maxsplit=1)[-1] in refused(name, text.replace(right, wrong, 1), tmp_path)


def test_every_proxy_keeps_the_figures_inside() -> None:
    for path in PROXIES.iterdir():
        assert "/metrics" in path.read_text(), path.name


def test_no_proxy_flushes_at_the_price_of_cancelling() -> None:
    # flush_interval -1 makes Caddy go on with a request whose client has left.
    for path in (PROXIES / "Caddyfile", DEPLOY / "compose" / "Caddyfile"):
        lines = [line for line in path.read_text().splitlines() if not line.strip().startswith("#")]
        assert not any("flush_interval" in line for line in lines)
