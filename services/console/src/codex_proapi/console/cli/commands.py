"""The root command `codex-proapi`. Never prints a token of an account."""

import json
import sys
from collections.abc import Mapping

import rich_click as click

from codex_proapi.commons.runtime.errors import (
    CommonsError,
    SettingsError,
    StoreRefused,
    StoreUnavailable,
)
from codex_proapi.commons.runtime.setting_names import with_plain_names
from codex_proapi.commons.runtime.settings_file import with_settings_file
from codex_proapi.console.cli import extensions
from codex_proapi.console.cli.lazy_commands import LazyCommand
from codex_proapi.console.cli.store_address import FROM_FILE, cure_of, fault_of
from codex_proapi.console.cli.terminal.failures import NAME, ExitCode, Failures
from codex_proapi.console.version import own_version

click.rich_click.SHOW_ARGUMENTS = True

OWN = (
    ("accounts", "accounts", "accounts", "The ChatGPT logins this gateway may spend."),
    ("admin", "admin", "admin", "Administration of the console."),
    ("alerts", "alerts", "alerts", "Where alerts are delivered: add, try, list, remove."),
    ("backup", "archive.commands", "backup_command", "Write accounts, API keys, usage, settings, log and audit to FILE (or - for standard output)."),
    ("config", "reports.config", "config", "The settings as this process reads them."),
    ("doctor", "reports.doctor", "doctor_command", "Look for what is wrong with an installation, and say what to do."),
    ("keys", "keys", "keys", "The API keys clients may use."),
    ("logs", "reports.logs", "logs_command", "The log, the newest entries last."),
    ("migrate", "archive.migration", "migrate_command", "Copy accounts, API keys, usage, settings, log and audit into another store."),
    ("owners", "owners.commands", "owners", "People who offer accounts of their own, on terms of their own."),
    ("prices", "reports.prices", "prices", "List prices of models, for the cost of usage."),
    ("restore", "archive.commands", "restore_command", "Put a backup (FILE, or - for standard input) into this installation's store."),
    ("status", "reports.status", "status_command", "What runs and what there is to spend."),
    ("usage", "reports.status", "usage_command", "Requests and tokens of the last days."),
    ("what-if", "reports.what_if", "what_if_command", "Replay the last weeks with other accounts, people or another strategy."),
)  # fmt: skip
"""Name, module below this folder, attribute and summary of each command of the console's."""


COMPLETE = "_CODEX_PROAPI_COMPLETE"
"""Set by a shell that completes a word: what is printed then goes to the screen of the person who types."""


class Commands(click.RichGroup):
    """The console's commands and those of other members, which are loaded on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name, in alphabetical order."""
        return sorted({*super().list_commands(ctx), *extensions.command_names()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One command; None if there is none of this name."""
        return super().get_command(ctx, cmd_name) or extensions.find_command(cmd_name)


def _show_version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - as click calls it
    if wanted and not context.resilient_parsing:
        print(own_version())
        context.exit()


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version.",
)
@click.option(
    "--config",
    metavar="FILE",
    default="",
    help="Settings beside the environment: a .env or .toml file; also CODEX_PROAPI_CONFIG.",
)
@click.pass_context
def root(context: click.Context, config: str) -> None:
    """An OpenAI-compatible gateway to the ChatGPT Codex backend.

    Settings come from the environment. Without a command it serves, where `serve` is installed.
    """
    environ: dict[str, str] = context.obj
    completed = with_settings_file(environ, config)
    context.meta[FROM_FILE] = frozenset(completed) - frozenset(environ)
    environ.clear()
    environ.update(completed)  # every command reads this mapping
    if context.invoked_subcommand is not None:
        return
    serve = root.get_command(context, "serve")
    if serve is None:
        click.echo(context.get_help())
    else:
        context.invoke(serve)


@root.command("version")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def version_command(*, as_json: bool) -> None:
    """The version of this installation."""
    print(json.dumps({"version": own_version()}) if as_json else own_version())


for _name, _module, _attribute, _summary in OWN:
    root.add_command(
        LazyCommand(
            _name, module=f"{__package__}.{_module}", attribute=_attribute, summary=_summary
        )
    )


def run(environ: Mapping[str, str], arguments: list[str] | None = None) -> int:
    """Run one command; returns an `ExitCode`. Expected errors are printed in one sentence each."""
    plain, warnings = with_plain_names(environ)
    for warning in () if COMPLETE in environ else warnings:
        sys.stderr.write(f"{NAME}: {warning}\n")
    words = sys.argv[1:] if arguments is None else arguments
    failures = Failures(words)
    for number, each in enumerate(words, start=1):
        if not each.isascii() and not _is_text(each):
            return failures.fail(f"argument {number} is no text in UTF-8", code=ExitCode.REFUSED)
    try:
        code = root.main(args=words, prog_name=NAME, obj=plain, standalone_mode=False)
    except StoreRefused as refused:
        return failures.fail(str(refused), code=ExitCode.REFUSED)
    except SettingsError as wrong:
        told = "the settings are wrong"
        return failures.fail(told, faults=wrong.faults, code=ExitCode.REFUSED)
    except click.ClickException as wrong:
        return failures.show_wrong_command(wrong)
    except StoreUnavailable as wrong:
        return failures.fail(f"{fault_of(wrong, plain)}. {cure_of(wrong)}")
    except CommonsError as wrong:
        return failures.fail(str(wrong))
    except (click.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    return code if isinstance(code, int) else ExitCode.DONE


def _is_text(argument: str) -> bool:
    """Whether an argument was decoded without bytes left over."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True
