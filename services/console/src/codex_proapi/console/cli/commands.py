"""The root command `codex-proapi`. Never prints a token of an account."""

import sys
from collections.abc import Mapping
from urllib.parse import urlsplit

import rich_click as click

from codex_proapi.commons.runtime.errors import (
    CommonsError,
    SettingsError,
    StoreRefused,
    StoreUnavailable,
)
from codex_proapi.console.cli import extensions
from codex_proapi.console.cli.accounts import accounts
from codex_proapi.console.cli.admin import admin
from codex_proapi.console.cli.archive.commands import backup_command, restore_command
from codex_proapi.console.cli.doctor import doctor_command
from codex_proapi.console.cli.keys import keys
from codex_proapi.console.server.version import own_version

click.rich_click.TEXT_MARKUP = "markdown"
click.rich_click.SHOW_ARGUMENTS = True

REFUSED = 2
"""Exit code where this process does not fit what is in Redis, as of the services."""


class Commands(click.RichGroup):
    """Our own commands and those of other members, which are loaded when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name, in alphabetical order."""
        return sorted({*super().list_commands(ctx), *extensions.command_names()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One command; None if there is none of this name."""
        return super().get_command(ctx, cmd_name) or extensions.find_command(cmd_name)


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(own_version(), message="%(version)s")
@click.pass_context
def root(context: click.Context) -> None:
    """An OpenAI-compatible gateway to the ChatGPT Codex backend.

    Settings come from the environment. Without a command it serves, where `serve` is installed.
    """
    if context.invoked_subcommand is not None:
        return
    serve = root.get_command(context, "serve")
    if serve is None:
        click.echo(context.get_help())
    else:
        context.invoke(serve)


@root.command("version")
def version_command() -> None:
    """The version of this installation."""
    print(own_version())


root.add_command(accounts)
root.add_command(keys)
root.add_command(admin)
root.add_command(backup_command)
root.add_command(doctor_command)
root.add_command(restore_command)


def run(environ: Mapping[str, str], arguments: list[str] | None = None) -> int:
    """Run one command; gives the exit code. What a person can mend is said in one sentence each."""
    try:
        code = root.main(
            args=arguments, prog_name="codex-proapi", obj=environ, standalone_mode=False
        )
    except StoreRefused as refused:
        _fail(*refused.faults)
        return REFUSED
    except SettingsError as wrong:
        return _fail("the settings are wrong:", *(f"  {fault}" for fault in wrong.faults))
    except click.ClickException as wrong:
        wrong.show()
        return wrong.exit_code
    except StoreUnavailable as wrong:
        return _fail(f"{wrong} ({_address(environ)}). Check that it runs and what REDIS_URL says.")
    except CommonsError as wrong:
        return _fail(str(wrong))
    except (click.Abort, KeyboardInterrupt):
        return 130
    return code if isinstance(code, int) else 0


def _address(environ: Mapping[str, str]) -> str:
    """Where Redis was looked for, without name and password."""
    url = urlsplit(environ.get("REDIS_URL") or "")
    return url.netloc.rpartition("@")[2] or url.path or "the embedded one, or REDIS_URL_FILE"


def _fail(*lines: str) -> int:
    sys.stderr.write("codex-proapi: " + "\n".join(lines) + "\n")
    return 1
