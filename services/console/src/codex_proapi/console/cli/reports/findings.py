"""What a check of `doctor` found. Pure."""

import enum
from collections.abc import Iterable

import msgspec

CORRECT = "correct it: docs/settings.md says what it may be; gateways and consoles need the same"
"""What to do about a setting that is wrong."""


class Verdict(enum.StrEnum):
    """How a check went."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one check found."""

    verdict: Verdict
    check: str
    found: str
    cure: str = ""
    """What to do; empty where nothing is to be done."""


def fine(check: str, found: str) -> Finding:
    """Nothing is wrong."""
    return Finding(verdict=Verdict.OK, check=check, found=found)


def warning(check: str, found: str, cure: str) -> Finding:
    """It works, and should be otherwise."""
    return Finding(verdict=Verdict.WARN, check=check, found=found, cure=cure)


def failure(check: str, found: str, cure: str) -> Finding:
    """It does not work."""
    return Finding(verdict=Verdict.FAIL, check=check, found=found, cure=cure)


def each_once(findings: Iterable[Finding]) -> list[Finding]:
    """Findings without those that say the same again."""
    return [*dict.fromkeys(findings)]
