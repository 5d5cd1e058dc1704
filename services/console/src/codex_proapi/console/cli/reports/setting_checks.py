"""Checks of `doctor` on the settings, as the services read them at their start."""

from collections.abc import Mapping

from codex_proapi.commons.runtime.errors import SettingsError
from codex_proapi.commons.runtime.settings import from_environ
from codex_proapi.console.auth.passwords import is_common
from codex_proapi.console.cli.extensions import setting_checks
from codex_proapi.console.cli.reports.findings import (
    CORRECT,
    Finding,
    failure,
    fine,
    warning,
)
from codex_proapi.console.settings import ConsoleSettings

COMMON = warning(
    "password",
    "ADMIN_PASSWORD is one of those that are tried first",
    "if it is in use, change it: `codex-proapi admin password`",
)
PLACEHOLDER = "A" * 43 + "="
"""Encryption keys where the embedded store makes its own; a key that is missing is told by the store."""


def setting_findings(environ: Mapping[str, str]) -> list[Finding]:
    """What would stop the start of the console, and of what other members here serve."""
    named = environ.get("ENCRYPTION_KEYS") or environ.get("ENCRYPTION_KEYS_FILE")
    wanting = {} if named else {"ENCRYPTION_KEYS": PLACEHOLDER}
    completed = {**environ, **wanting}
    console, faults = _read(completed)
    for check in setting_checks():
        faults += check(completed)
    if not faults:
        found = [fine("settings", "all of them can be read")]
        return (
            [*found, COMMON]
            if console and console.admin_password and is_common(console.admin_password)
            else found
        )
    return [failure("settings", fault, CORRECT) for fault in dict.fromkeys(faults)]


def _read(environ: Mapping[str, str]) -> tuple[ConsoleSettings | None, list[str]]:
    """The console's settings, or what is wrong with them."""
    try:
        return from_environ(ConsoleSettings, environ), []
    except SettingsError as wrong:
        return None, [*wrong.faults]
