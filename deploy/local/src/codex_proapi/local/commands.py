"""The commands `serve` and `demo`, found by the command line through their entry points.

What they run is imported when they run: `--help` needs neither the gateway nor the simulator.
"""

from collections.abc import Mapping

import rich_click as click


@click.command("serve")
@click.option("--host", help="Address to listen on; stands before HOST.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; stands before PORT.")
@click.pass_obj
def serve_command(
    environ: Mapping[str, str], host: str | None = None, port: int | None = None
) -> None:
    """Serve gateway and console on one port."""
    from codex_proapi.local import serving  # noqa: PLC0415
    from codex_proapi.local.environment import Start  # noqa: PLC0415

    serving.serve(Start(_with_options(environ, host, port)))


@click.command("demo")
@click.option("--host", help="Address to listen on; stands before HOST.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; stands before PORT.")
@click.pass_obj
def demo_command(environ: Mapping[str, str], host: str | None, port: int | None) -> None:
    """The same against a simulated backend, with invented accounts; nothing stays."""
    from codex_proapi.local.demo import serve_demo  # noqa: PLC0415

    serve_demo(_with_options(environ, host, port))


def _with_options(environ: Mapping[str, str], host: str | None, port: int | None) -> dict[str, str]:
    provided = dict(environ)
    if host is not None:
        provided["HOST"] = host
    if port is not None:
        provided["PORT"] = str(port)
    return provided
