"""`python -m codex_proapi.simulator --port N`: the simulator as a process of its own."""

import asyncio
import signal
import ssl
import sys

import rich_click as click

from codex_proapi.simulator.server import Simulator
from codex_proapi.simulator.state.leniency import Leniency


@click.command()
@click.option(
    "--port", default=8765, show_default=True, help="Port on 127.0.0.1; 0 takes a free one."
)
@click.option(
    "--pace", default=0.0, show_default=True, help="Seconds between the words of an answer."
)
@click.option(
    "--keep-bodies/--drop-bodies",
    default=True,
    help="Whether request bodies are kept for inspection.",
)
@click.option(
    "--classic-on-lite/--lite-only",
    default=True,
    help="Whether lite models accept the classic shape.",
)
@click.option(
    "--device-interval", default="5", show_default=True, help="Seconds between device polls."
)
@click.option("--certificate", default="", help="PEM file of a certificate: serve TLS.")
@click.option("--key", default="", help="PEM file of its private key.")
@click.option("--fault", multiple=True, help="A fault every answer has; NAMED lists them.")
@click.option("--redirect-uri", multiple=True, help="One more registered redirect address.")
def main(
    *,
    port: int,
    pace: float,
    keep_bodies: bool,
    classic_on_lite: bool,
    device_interval: str,
    certificate: str,
    key: str,
    fault: tuple[str, ...],
    redirect_uri: tuple[str, ...],
) -> None:
    """Serve the simulated Codex backend and authorization server until interrupted."""
    tls = None
    if certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate, key or None)
    simulator = Simulator(port=port, tls=tls)
    for name in fault:
        simulator.script(name, times=None)
    world = simulator.world
    world.pace, world.keep_bodies = pace, keep_bodies
    world.leniency = Leniency(classic_on_lite=classic_on_lite)
    world.device_interval = device_interval
    world.redirects |= frozenset(redirect_uri)
    asyncio.run(_serve(simulator))


async def _serve(simulator: Simulator) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with simulator:
        for name, value in simulator.environ.items():
            sys.stdout.write(f"{name}={value}\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    main()
