"""What the console reads from its environment."""

from typing import Any

import pytest
from cryptography.fernet import Fernet

from codex_proapi.commons.runtime.errors import SettingsError
from codex_proapi.commons.runtime.settings import from_environ
from codex_proapi.console.settings import REGISTERED_REDIRECT, ConsoleSettings, is_loopback

KEY = Fernet.generate_key().decode()


def settings(**environ: str) -> ConsoleSettings:
    return from_environ(ConsoleSettings, {"ENCRYPTION_KEYS": KEY, **environ})


def test_the_defaults_work_on_this_machine() -> None:
    made = settings()

    assert (made.host, made.port, made.on_loopback) == ("127.0.0.1", 8081, True)
    assert made.redirect_uri == REGISTERED_REDIRECT


def test_a_password_that_is_too_short_stops_the_start() -> None:
    with pytest.raises(SettingsError, match="ADMIN_PASSWORD must have at least 12 characters"):
        settings(ADMIN_PASSWORD="short")


def test_a_password_is_read_from_a_file_and_never_printed(tmp_path: Any) -> None:
    (tmp_path / "password").write_text("correct mule battery\n")
    made = settings(ADMIN_PASSWORD_FILE=str(tmp_path / "password"))

    assert made.admin_password == "correct mule battery"
    assert "mule" not in repr(made)
    assert KEY not in repr(made)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, REGISTERED_REDIRECT),
        ({"PUBLIC_URL": "https://codex.example/"}, REGISTERED_REDIRECT),
        (
            {"PUBLIC_URL": "https://codex.example", "OAUTH_REDIRECT_URI": "https://own.example/cb"},
            "https://own.example/cb",
        ),
    ],
)
def test_the_redirect_address_is_always_a_registered_one(
    environ: dict[str, str], expected: str
) -> None:
    assert settings(**environ).redirect_uri == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, True),
        ({"HOST": "::1"}, True),
        ({"HOST": "localhost", "PUBLIC_URL": "http://localhost:1455"}, True),
        ({"HOST": "0.0.0.0"}, False),
        ({"HOST": "10.0.0.7"}, False),
        ({"PUBLIC_URL": "https://codex.example"}, False),
    ],
)
def test_only_a_console_that_nobody_else_can_reach_is_on_loopback(
    environ: dict[str, str], expected: bool
) -> None:
    assert settings(**environ).on_loopback is expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("app.localhost", True),
        ("127.9.9.9", True),
        ("[::1]", True),
        ("localhost.example", False),
        ("128.0.0.1", False),
        ("evil", False),
    ],
)
def test_loopback_is_told_by_name_or_address(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
