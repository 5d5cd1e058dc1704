"""Commands that are imported when they run, so that `--help` and `--version` import none of them."""

import importlib
from typing import Any

import rich_click as click


class LazyCommand(click.RichCommand):
    """Stands for a command until it runs.

    Args:
        name: What it is called.
        module: The module that has it, under the name `attribute`.
        summary: The first sentence of its help; a test compares the two.
    """

    def __init__(self, name: str, *, module: str, attribute: str, summary: str) -> None:
        super().__init__(name=name, help=summary)
        self._where = (module, attribute)

    def __repr__(self) -> str:
        return f"<LazyCommand {self.name}>"

    def load(self) -> click.Command:
        """The command itself."""
        module, attribute = self._where
        loaded: click.Command = getattr(importlib.import_module(module), attribute)
        return loaded

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """A context of the command itself: what runs, or completes a word, is that."""
        return self.load().make_context(info_name, args, parent, **extra)
