"""All commands of the command line, by their full name."""

from collections.abc import Iterator

import click

from codex_proapi.console.cli.commands import root
from codex_proapi.console.cli.lazy_commands import LazyCommand


def every_command(
    command: click.Command = root, name: str = ""
) -> Iterator[tuple[str, click.Command]]:
    """Each command that is no group, with what is typed for it: `admin token list`."""
    loaded = command.load() if isinstance(command, LazyCommand) else command
    if not isinstance(loaded, click.Group):
        yield name, loaded
        return
    with click.Context(loaded) as context:
        for each in loaded.list_commands(context):
            found = loaded.get_command(context, each)
            assert found is not None
            yield from every_command(found, f"{name} {each}".strip())
