"""What people type: `codex-proapi` and its commands. Never prints a token of an account.

The commands on accounts, keys and admin tokens have modules of their own.
"""

import importlib.metadata
import sys
from collections.abc import Mapping

import rich_click as click

from codex_proapi.commons.runtime.errors import CommonsError, SettingsError
from codex_proapi.commons.runtime.logging import configure
from codex_proapi.console.cli import accounts, admin, keys
from codex_proapi.local import replay
from codex_proapi.local.demo import serve_demo
from codex_proapi.local.embedded_redis import EmbeddedRedisFailed
from codex_proapi.local.environment import Start
from codex_proapi.local.secret_files import FolderUnusable
from codex_proapi.local.serving import PortTaken, serve

click.rich_click.TEXT_MARKUP = "markdown"
click.rich_click.SHOW_ARGUMENTS = True


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.pass_context
def cli(context: click.Context) -> None:
    """An OpenAI-compatible gateway to the ChatGPT Codex backend, on one machine.

    Without a command it serves. Settings come from the environment.
    """
    if context.invoked_subcommand is None:
        context.invoke(serve_command)


@cli.command("serve")
@click.option("--host", help="Address to listen on; stands before HOST.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; stands before PORT.")
@click.pass_obj
def serve_command(
    environ: Mapping[str, str], host: str | None = None, port: int | None = None
) -> None:
    """Serve gateway and console on one port."""
    start = Start(_with_options(environ, host, port))
    configure(start.gateway.log_level)
    serve(start)


@cli.command("demo")
@click.option("--host", help="Address to listen on; stands before HOST.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; stands before PORT.")
@click.pass_obj
def demo_command(environ: Mapping[str, str], host: str | None, port: int | None) -> None:
    """The same against a simulated backend, with invented accounts; nothing stays."""
    provided = _with_options(environ, host, port)
    configure(provided.get("LOG_LEVEL") or "info")
    serve_demo(provided)


@cli.command("version")
def version_command() -> None:
    """The version of this installation."""
    print(importlib.metadata.version("codex-proapi"))


cli.add_command(accounts.accounts)
cli.add_command(keys.keys)
cli.add_command(admin.admin)
cli.add_command(replay.replay)


def run(environ: Mapping[str, str], arguments: list[str] | None = None) -> int:
    """Run one command; gives the exit code. What a person can mend is told in one sentence each."""
    try:
        code = cli.main(
            args=arguments, prog_name="codex-proapi", obj=environ, standalone_mode=False
        )
    except SettingsError as wrong:
        return _fail("the settings are wrong:", *(f"  {fault}" for fault in wrong.faults))
    except click.ClickException as wrong:
        wrong.show()
        return wrong.exit_code
    except (EmbeddedRedisFailed, FolderUnusable, PortTaken, CommonsError) as wrong:
        return _fail(str(wrong))
    except (click.Abort, KeyboardInterrupt):
        return 130
    return code if isinstance(code, int) else 0


def _fail(*lines: str) -> int:
    sys.stderr.write("codex-proapi: " + "\n".join(lines) + "\n")
    return 1


def _with_options(environ: Mapping[str, str], host: str | None, port: int | None) -> dict[str, str]:
    provided = dict(environ)
    if host is not None:
        provided["HOST"] = host
    if port is not None:
        provided["PORT"] = str(port)
    return provided
