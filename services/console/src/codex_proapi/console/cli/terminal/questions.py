"""Questions to the person at the terminal."""

import getpass
import warnings
from typing import Any

import rich_click as click
from click import prompt


def confirm(question: str, *, option: str) -> None:
    """Ask; raises ClickException if the answer is no, UsageError where nobody can answer.

    Args:
        question: A question with yes or no, asked on standard error.
        option: The option that answers it beforehand.
    """
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort as abort:
        raise unanswered(abort, option=option) from None
    if not agreed:
        raise click.ClickException("nothing was changed")


def ask_secret(question: str, *, option: str, **more: Any) -> str:
    """Ask for a secret, which is not shown; UsageError where nobody can answer."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", getpass.GetPassWarning)  # who pipes it in knows
            return str(prompt(question, hide_input=True, err=True, **more))
    except click.Abort as abort:
        raise unanswered(abort, option=option) from None


def unanswered(abort: click.Abort, *, option: str) -> Exception:
    """What an unanswered question is: an interruption, or a standard input without an answer."""
    if not isinstance(abort.__context__, EOFError):
        return abort
    return click.UsageError(f"nobody is there to answer: say {option}")
