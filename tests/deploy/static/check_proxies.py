"""The proxy configurations in deploy/proxies, by the proxies' own checkers."""

import contextlib
import pathlib

import pytest
from deploy.live.stage import Process, proxy_command, proxy_text
from deploy.toolbox import DEPLOY, run
from support.free_ports import free_port

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


def test_traefik_knows_every_word_of_its_files(tmp_path: pathlib.Path) -> None:
    """It has no checker of its own: it says what it does not know when it starts."""
    for file, right, wrong in (
        ("traefik-routes.yml", "healthCheck", "healthcheckk"),
        ("traefik.yml", "graceTimeOut", "graceTimeOutt"),
    ):
        assert traefik_says(tmp_path, {}) == ""
        text = (PROXIES / file).read_text()
        assert right in text
        assert wrong in traefik_says(tmp_path, {file: text.replace(right, wrong)})


def traefik_says(folder: pathlib.Path, planted: dict[str, str]) -> str:
    """What Traefik has against its two files, with some of them as planted; empty when nothing."""
    port = free_port()
    routes = folder / "routes.yml"
    content = planted.get("traefik-routes.yml", proxy_text("traefik", port))
    routes.write_text(content if content.startswith(f"# {port}") else f"# {port}\n{content}")
    command = proxy_command("traefik", routes, folder)
    if "traefik.yml" in planted:
        start = folder / "start-routes.yml"
        text = planted["traefik.yml"].replace("/etc/traefik/traefik-routes.yml", str(routes))
        start.write_text(text.replace(":1455", f"127.0.0.1:{port}"))
    made = Process("traefik", command, folder=folder, port=port, HOME=str(folder))
    made.log.unlink(missing_ok=True)
    with contextlib.suppress(AssertionError):
        made.start()
        # Who asks for a page gets the console's 502 as soon as the routes have been read.
        made.until(lambda: made.status("/") not in {0, 404} or "ERR" in made.tail(), seconds=60)
    made.end()
    return "\n".join(
        line for line in made.tail().splitlines() if "ERR" in line or "error" in line.lower()
    )


def test_every_proxy_keeps_the_figures_inside() -> None:
    for path in PROXIES.iterdir():
        text = path.read_text()
        assert "/metrics" in text or "^/+metrics" in text or "traefik-routes.yml" in text


def test_no_proxy_flushes_at_the_price_of_cancelling() -> None:
    # flush_interval -1 makes Caddy go on with a request whose client has left.
    for path in (PROXIES / "Caddyfile", DEPLOY / "compose" / "Caddyfile"):
        lines = [line for line in path.read_text().splitlines() if not line.strip().startswith("#")]
        assert not any("flush_interval" in line for line in lines)
