"""Questions to the person at the terminal."""

import contextlib
import os
import select
import signal
import socket
import sys
import termios
from collections.abc import Iterator

import rich_click as click

ANSWERS = {"": False, "n": False, "no": False, "y": True, "yes": True}
"""What may be said to a question with yes or no."""


def confirm(question: str, *, option: str) -> None:
    """Ask; raises ClickException if the answer is no, UsageError where nobody can answer.

    Args:
        question: A question with yes or no, asked on standard error.
        option: The option that answers it beforehand.
    """
    while (said := _ask(f"{question} [y/N]: ", option=option).strip().lower()) not in ANSWERS:
        click.echo("Error: invalid input", err=True)
    if not ANSWERS[said]:
        raise click.ClickException("nothing was changed")


def ask_secret(
    question: str, *, option: str, repeated: bool = False, optional: bool = False
) -> str:
    """Ask for a secret, which is not shown; UsageError where nobody can answer.

    Args:
        question: What is asked for, without a colon.
        option: The option that gives it in another way.
        repeated: Ask a second time, and begin again where the two differ.
        optional: Whether it may be empty.
    """
    while True:
        secret = _ask(f"{question}: ", option=option, hidden=True)
        if not secret and not optional:
            continue
        if not repeated or secret == _ask("Repeat it: ", option=option, hidden=True):
            return secret
        click.echo("Error: the two differ", err=True)


def _ask(prompt: str, *, option: str, hidden: bool = False) -> str:
    """What is typed in answer to a prompt on standard error; Abort where a signal comes instead."""
    try:
        with _wakened() as wake, _without_echo() if hidden else contextlib.nullcontext():
            click.echo(prompt, nl=False, err=True)
            line = _read_line(wake)
    except KeyboardInterrupt:
        click.echo(err=True)
        raise click.Abort from None
    if hidden or not line:
        click.echo(err=True)
    if not line:
        raise click.UsageError(f"nobody is there to answer: say {option}")
    return line.rstrip("\r\n")


def _read_line(wake: socket.socket) -> str:
    """A line of standard input; empty at its end.

    A read that begins when a signal has just come would wait for a line all the same: Python looks
    at signals before such a call and when it is interrupted, not in between. So nothing is read
    before there is something, and the wait for that ends with a signal.
    """
    try:
        descriptor = sys.stdin.fileno()
    except (OSError, ValueError):  # a text in its place
        return sys.stdin.readline()
    line = b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([descriptor, wake], [], [])
        if wake in ready:
            wake.recv(64)  # the handler of the signal has run now
        elif not (byte := os.read(descriptor, 1)):
            break
        else:
            line += byte
    return line.decode(sys.stdin.encoding or "utf-8", "surrogateescape")


@contextlib.contextmanager
def _wakened() -> Iterator[socket.socket]:
    """A socket that can be read as soon as a signal has come."""
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)  # noqa: FBT003 - as the library has it
        before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            yield reader
        finally:
            signal.set_wakeup_fd(before)


@contextlib.contextmanager
def _without_echo() -> Iterator[None]:
    """Standard input does not show what is typed meanwhile, where it is a terminal."""
    try:
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
    except (OSError, ValueError, termios.error):
        yield
        return
    hidden = [*before]
    hidden[3] &= ~termios.ECHO  # the local modes
    try:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, hidden)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
