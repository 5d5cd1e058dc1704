"""What a check of `doctor` found. Pure."""

import enum

import msgspec


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
