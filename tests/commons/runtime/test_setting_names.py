"""`CODEX_PROAPI_X` is X; names of everybody's are passed over where they cannot be meant for us."""

import msgspec
import pytest
from cryptography.fernet import Fernet

from codex_proapi.commons.runtime.errors import SettingsError
from codex_proapi.commons.runtime.setting_names import (
    KNOWN_NAMES,
    PREFIX,
    SECRET_NAMES,
    unknown_names,
    with_plain_names,
)
from codex_proapi.commons.runtime.settings import from_environ, hints_of, is_secret
from codex_proapi.console.settings import ConsoleSettings
from codex_proapi.gateway.settings import GatewaySettings

KEY = Fernet.generate_key().decode()
SERVICES = (ConsoleSettings, GatewaySettings)


def test_every_setting_of_every_process_is_a_known_name() -> None:
    fields = {field.name for cls in SERVICES for field in msgspec.structs.fields(cls)}
    secret = {name for cls in SERVICES for name, hint in hints_of(cls).items() if is_secret(hint)}

    assert {name.upper() for name in fields} == KNOWN_NAMES
    assert {name.upper() for name in secret} == SECRET_NAMES


@pytest.mark.parametrize("cls", SERVICES)
def test_a_setting_of_the_other_process_stops_none(cls: type[ConsoleSettings]) -> None:
    environ = {
        "QUOTA_RESERVE": "3",
        "ADMIN_PASSWORD": "correct mule battery",
        "LOG_SELECTIONS": "1",
    }

    assert from_environ(cls, {**environ, "ENCRYPTION_KEYS": KEY}).encryption_keys == (KEY,)


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({"CODEX_PROAPI_HOST": "0.0.0.0"}, {"HOST": "0.0.0.0"}),
        ({"CODEX_PROAPI_PORT": "1", "PORT": "2"}, {"PORT": "1"}),
        ({"CODEX_PROAPI_PORT": "", "PORT": "2"}, {"PORT": "2"}),
        ({"CODEX_PROAPI_CODEX_BASE_URL": "x"}, {"CODEX_BASE_URL": "x"}),
        ({"CODEX_PROAPI_REDIS_URL_FILE": "/a", "REDIS_URL": "b"}, {"REDIS_URL_FILE": "/a"}),
        ({"CODEX_PROAPI_REDIS_URL": "a", "REDIS_URL_FILE": "/b"}, {"REDIS_URL": "a"}),
        ({"CODEX_PROAPI_HOST_FILE": "/a"}, {"CODEX_PROAPI_HOST_FILE": "/a"}),
        ({"CODEX_PROAPI_HSOT": "a"}, {"CODEX_PROAPI_HSOT": "a"}),
        ({"HOST": "::1", "PORT": "x"}, {"HOST": "::1", "PORT": "x"}),
        ({"HOST": "my-box.lan"}, {"HOST": "my-box.lan"}),
    ],
)
def test_the_prefix_stands_before_the_plain_name(
    environ: dict[str, str], found: dict[str, str]
) -> None:
    plain = with_plain_names(environ)

    assert plain.environ == found
    assert not plain.warnings
    assert with_plain_names(plain.environ).environ == found


def test_both_spellings_of_a_secret_with_the_prefix_are_still_a_fault() -> None:
    environ = {"CODEX_PROAPI_REDIS_URL": "redis://a", "CODEX_PROAPI_REDIS_URL_FILE": "/b"}
    with pytest.raises(SettingsError, match="REDIS_URL and REDIS_URL_FILE are both set"):
        from_environ(ConsoleSettings, {**environ, "ENCRYPTION_KEYS": KEY})


@pytest.mark.parametrize(
    "host",
    ["x86_64-conda-linux-gnu", "aarch64-conda-linux-gnu", "arm64-apple-darwin20.0.0", "a b", "a/b"],
)
def test_a_host_that_is_none_is_passed_over_with_a_word(host: str) -> None:
    plain = with_plain_names({"HOST": host})

    assert plain.environ == {}
    assert plain.warnings == [
        "HOST is passed over: its value is another program's. CODEX_PROAPI_HOST sets ours."
    ]
    assert with_plain_names({"HOST": host, "CODEX_PROAPI_HOST": "::1"}) == ({"HOST": "::1"}, [])


def test_a_port_of_a_container_link_is_passed_over() -> None:
    plain = with_plain_names({"PORT": "tcp://10.0.0.1:80"})

    assert plain.environ == {}
    assert len(plain.warnings) == 1


@pytest.mark.parametrize(
    ("name", "mistyped"),
    [
        ("ADMIN_PASWORD", True),
        ("QUOTA_RESERV", True),
        ("ENCRYPTION_KEY", True),
        (f"{PREFIX}WHATEVER", True),
        (f"{PREFIX}REDIS_URLS", True),
        *((name, False) for name in ("ADMIN_EMAIL", "OAUTH_CLIENT_ID", "QUOTA_MAX", "CODEX_HOME")),
        *((name, False) for name in ("PATH", "REDIS_PORT", "ADMIN_PASSWORD_FILE")),
    ],
)
def test_what_is_nearly_ours_is_mistyped_and_what_is_not_is_somebody_elses(
    name: str, *, mistyped: bool
) -> None:
    assert bool(unknown_names([name], frozenset())) is mistyped
