"""Checks of `doctor` on the settings, as the services read them at their start."""

from collections.abc import Mapping

from codex_proapi.commons.runtime.errors import SettingsError
from codex_proapi.commons.runtime.settings import from_environ
from codex_proapi.console.cli.extensions import setting_checks
from codex_proapi.console.cli.reports.findings import CORRECT, Finding, failure, fine
from codex_proapi.console.settings import ConsoleSettings

PLACEHOLDER = "A" * 43 + "="
"""Encryption keys where the embedded store makes its own; a key that is missing is told by the store."""


def setting_findings(environ: Mapping[str, str]) -> list[Finding]:
    """What would stop the start of the console, and of what other members here serve."""
    named = environ.get("ENCRYPTION_KEYS") or environ.get("ENCRYPTION_KEYS_FILE")
    wanting = {} if named else {"ENCRYPTION_KEYS": PLACEHOLDER}
    completed = {**environ, **wanting}
    faults = _console_faults(completed)
    for check in setting_checks():
        faults += check(completed)
    if not faults:
        return [fine("settings", "all of them can be read")]
    return [failure("settings", fault, CORRECT) for fault in dict.fromkeys(faults)]


def _console_faults(environ: Mapping[str, str]) -> list[str]:
    try:
        from_environ(ConsoleSettings, environ)
    except SettingsError as wrong:
        return [*wrong.faults]
    return []
