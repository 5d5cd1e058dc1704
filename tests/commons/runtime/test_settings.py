"""The environment becomes a frozen Struct, or one message with every fault."""

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest
from cryptography.fernet import Fernet
from support.certificates import Authority

from codex_proapi.commons.runtime.errors import SettingsError
from codex_proapi.commons.runtime.setting_names import FOREIGN_NAMES, KNOWN_NAMES
from codex_proapi.commons.runtime.settings import (
    LOOPBACK,
    CommonSettings,
    Secret,
    from_environ,
)

KEY = Fernet.generate_key().decode()
NEEDED = {"ENCRYPTION_KEYS": KEY}


class Some(msgspec.Struct, frozen=True, kw_only=True):
    """One field of each type a setting may have."""

    count: Annotated[int, msgspec.Meta(ge=1)] = 1
    share: float = 0.5
    loud: bool = False
    mode: Literal["slow", "fast"] = "slow"
    names: tuple[str, ...] = ()
    aliases: dict[str, str] = {}
    sign: Annotated[str, Secret] = ""
    folder: Path = Path()


def faults_of(environ: dict[str, str], cls: type = CommonSettings) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        from_environ(cls, environ)
    return caught.value.faults


def test_an_empty_environment_gives_the_defaults_of_the_contract() -> None:
    settings = from_environ(CommonSettings, NEEDED)

    assert settings == CommonSettings(encryption_keys=(KEY,))
    assert settings.redis_url == "redis://localhost:6379/0"
    assert settings.codex_base_url == "https://chatgpt.com/backend-api/codex"
    assert settings.codex_client_id == "app_EMoamEEZ73f0CkXaXp7hrann"
    assert settings.trusted_proxies == LOOPBACK
    assert settings.data_dir == Path("~/.codex-proapi")


def test_the_proxy_comes_from_our_setting_else_from_the_machine(tmp_path: Path) -> None:
    (tmp_path / "proxy").write_text("socks5://ada:s3cret@own:1080\n")
    own = {"UPSTREAM_PROXY_FILE": str(tmp_path / "proxy")}
    machine = {"https_proxy": "http://lower:1", "ALL_PROXY": "http://all:2", "no_proxy": "inner"}

    found = [
        from_environ(CommonSettings, {**NEEDED, **environ}).proxy_rules.proxy_for_url(url)
        for environ, url in (
            (own | machine, "https://inner"),
            (machine, "https://chatgpt.com"),
            (machine, "https://inner"),
            (machine | {"HTTPS_PROXY": "upper:3"}, "https://chatgpt.com"),
            ({"all_proxy": "http://all:2"}, "https://chatgpt.com"),
            ({}, "https://chatgpt.com"),
        )
    ]

    assert [proxy and proxy.name for proxy in found] == [
        *("socks5://own:1080", "http://lower:1", None, "http://upper:3", "http://all:2", None),
    ]
    assert "s3cret" not in repr(from_environ(CommonSettings, NEEDED | own))


@pytest.mark.parametrize("name", ["UPSTREAM_PROXY", "HTTPS_PROXY", "ALL_PROXY"])
def test_a_proxy_that_cannot_be_read_is_one_sentence_without_its_address(name: str) -> None:
    [fault] = faults_of({**NEEDED, name: "ftp://ada:s3cret@proxy"})

    assert fault.startswith(f"{name} must be written http://, https://, socks5:// or socks5h://")
    assert "s3cret" not in fault
    assert faults_of({**NEEDED, "UPSTREAM_PROXIES": "http://p"}) == [
        "UPSTREAM_PROXIES is not a setting of ours."
    ]


def test_every_field_is_read_under_its_name_in_capitals() -> None:
    settings = from_environ(
        CommonSettings,
        {
            "HOST": "0.0.0.0",
            "PORT": "8080",
            "REDIS_URL": "rediss://cache:6380/1",
            "DATA_DIR": "/var/lib/codex",
            "PUBLIC_URL": "https://codex.example.com/",
            "TRUSTED_PROXIES": "10.0.0.0/8, 192.168.1.7,fd00::/8",
            "ENCRYPTION_KEYS": f"{KEY}, {KEY}",
            "CODEX_BASE_URL": "http://127.0.0.1:9/backend-api/codex",
            "LOG_LEVEL": "debug",
        },
    )

    assert (settings.host, settings.port) == ("0.0.0.0", 8080)
    assert settings.redis_url == "rediss://cache:6380/1"
    assert settings.data_dir == Path("/var/lib/codex")
    assert settings.public_url == "https://codex.example.com"
    assert settings.trusted_proxies == (
        ipaddress.ip_network("10.0.0.0/8"),
        ipaddress.ip_network("192.168.1.7/32"),
        ipaddress.ip_network("fd00::/8"),
    )
    assert settings.encryption_keys == (KEY, KEY)
    assert settings.codex_base_url == "http://127.0.0.1:9/backend-api/codex"
    assert settings.log_level == "debug"


def test_texts_become_the_types_of_the_fields() -> None:
    assert from_environ(
        Some,
        {
            "COUNT": " 7 ",
            "SHARE": "0.25",
            "LOUD": "true",
            "MODE": "fast",
            "NAMES": "a, b,,c",
            "ALIASES": "gpt-4=gpt-5.5, mini = gpt-5.5-mini",
            "SIGN": "s",
            "FOLDER": "/var/lib",
        },
    ) == Some(
        count=7,
        share=0.25,
        loud=True,
        mode="fast",
        names=("a", "b", "c"),
        aliases={"gpt-4": "gpt-5.5", "mini": "gpt-5.5-mini"},
        sign="s",
        folder=Path("/var/lib"),
    )


def test_an_empty_value_is_no_value() -> None:
    assert from_environ(Some, {"COUNT": "", "NAMES": ""}) == Some()


def test_all_faults_come_in_one_message() -> None:
    faults = faults_of(
        {
            "PORT": "http",
            "REDIS_URL": "http://cache",
            "PUBLIC_URL": "codex.example.com",
            "CODEX_AUTH_URL": "https://me:secret@auth.openai.com",
            "TRUSTED_PROXIES": "the ingress",
            "LOG_LEVEL": "loud",
            "CODEX_BASE_ULR": "https://chatgpt.com",
        }
    )

    assert [fault.split(":")[0].split(" ")[0] for fault in faults] == [
        *("PORT", "PUBLIC_URL", "TRUSTED_PROXIES", "CODEX_AUTH_URL", "LOG_LEVEL"),
        *("CODEX_BASE_ULR", "REDIS_URL", "ENCRYPTION_KEYS"),
    ]
    assert "secret" not in " ".join(faults)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("MODE", "loud", "MODE: must be one of slow, fast."),
        ("COUNT", "many", "COUNT: must be a whole number."),
        ("COUNT", "0", "COUNT: Expected int >= 1."),
        ("SHARE", "half", "SHARE: must be a number."),
        ("LOUD", "loudly", "LOUD: must be true or false."),
    ],
)
def test_a_fault_says_which_values_there_are(name: str, value: str, told: str) -> None:
    assert faults_of({name: value}, Some) == [told]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COUNT", "0"),
        ("COUNT", "seven"),
        ("SHARE", "half"),
        ("LOUD", "perhaps"),
        ("MODE", "FAST"),
        ("ALIASES", "gpt-4"),
        ("ALIASES", "=gpt-4"),
    ],
)
def test_a_malformed_value_is_a_fault_that_names_its_setting(name: str, value: str) -> None:
    assert [fault.partition(":")[0] for fault in faults_of({name: value}, Some)] == [name]


def test_a_setting_that_no_process_of_ours_knows_is_a_fault() -> None:
    assert faults_of(
        NEEDED | {"CODEX_BASE_ULR": "x", "ADMIN_PASWORD": "x", "HISTORY_MOD": "x"}
    ) == [
        "ADMIN_PASWORD is not a setting of ours.",
        "CODEX_BASE_ULR is not a setting of ours.",
        "HISTORY_MOD is not a setting of ours.",
    ]


def test_a_setting_of_another_process_of_ours_is_none() -> None:
    from_environ(CommonSettings, NEEDED | dict.fromkeys(KNOWN_NAMES - {"PORT"} - _typed(), "x"))


def _typed() -> set[str]:
    return {field.name.upper() for field in msgspec.structs.fields(CommonSettings)}


def test_names_of_the_codex_cli_and_of_the_system_are_left_alone() -> None:
    names = [
        *("CODEX_HOME", "CODEX_SANDBOX_NETWORK_DISABLED", "CODEX_API_KEY", "CODEX_THREAD_ID"),
        *("CODEX_REFRESH_TOKEN_URL_OVERRIDE", "PATH", "REDIS_PORT", "REDIS_SERVICE_HOST"),
    ]
    assert FOREIGN_NAMES.fullmatch("CODEX_BASE_ULR") is None

    from_environ(CommonSettings, NEEDED | dict.fromkeys(names, "x"))


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"{KEY}\n")

    settings = from_environ(CommonSettings, {"ENCRYPTION_KEYS_FILE": str(tmp_path / "keys")})

    assert settings.encryption_keys == (KEY,)


def test_only_a_secret_may_come_from_a_file() -> None:
    settings = from_environ(Some, {"COUNT_FILE": "/nowhere"})

    assert settings.count == 1


def test_a_secret_given_twice_or_in_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")

    assert faults_of({"SIGN": "s", "SIGN_FILE": "/x"}, Some) == [
        "SIGN and SIGN_FILE are both set; leave one out."
    ]
    assert faults_of({"SIGN_FILE": "/nowhere"}, Some) == [
        "SIGN_FILE: cannot read /nowhere: No such file or directory."
    ]
    assert faults_of({"SIGN_FILE": str(tmp_path / "binary")}, Some) == [
        f"SIGN_FILE: cannot read {tmp_path / 'binary'}: not a text file."
    ]


def test_a_key_that_is_no_fernet_key_is_named_by_its_place_only() -> None:
    faults = faults_of({"ENCRYPTION_KEYS": f"{KEY},hunter2-canary"})

    assert faults == ["ENCRYPTION_KEYS: key 2 is no Fernet key (32 bytes in url-safe base64)."]


@pytest.mark.parametrize(
    "url",
    [
        *(
            "redis://:canary/x@cache:6379/0",
            "rediss://u:canary#x@cache/0",
            "redis://:canary[@cache",
        ),
        *("redis://cache:port", "redis://cache:99999", "redis+cluster://:canary/x@a:1,b:2"),
    ],
)
def test_an_address_of_redis_that_cannot_be_read_is_a_fault_that_shows_no_password(
    url: str,
) -> None:
    with pytest.raises(SettingsError) as caught:
        from_environ(CommonSettings, {"ENCRYPTION_KEYS": KEY, "REDIS_URL": url})

    assert len(caught.value.faults) == 1
    assert caught.value.faults[0].startswith("REDIS_URL cannot be read: ")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        *("redis://:a%2Fb@cache:6379/0", "unix:///run/redis@1.sock", "unix://u:p@/run/redis.sock"),
        *("redis+sentinel://:p@a:26379,b:26379/main/0", "redis+cluster://[::1]:1,b:2"),
        *(
            "redis+sentinel://a/main",
            "redis+cluster://a/0",
            "redis://cache/",
            "unix:///x.sock?db=2",
        ),
        "rediss://cache/3?socket_timeout=2.5&ssl_cert_reqs=none&ssl_check_hostname=no",
        "rediss+sentinel://a/main/0?sentinel_tls=yes&sentinel_password=p@ss&ssl_ca_certs=/etc/passwd",
    ],
)
def test_every_shape_of_an_address_of_redis_is_taken(url: str) -> None:
    assert from_environ(CommonSettings, {"ENCRYPTION_KEYS": KEY, "REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://cache/main", "number of a database"),
        ("redis+sentinel://a/main/first", "number of a database"),
        ("redis+cluster://a/b", "number of a database"),
        ("redis+sentinel://a:26379", "names no group"),
        ("redis://cache/0?socket_timeout=soon", "socket_timeout must be a number"),
        ("rediss+cluster://a?timeout=-1", "timeout must be a number"),
        ("redis://cache/0?tiemout=3", "an option tiemout"),
        ("rediss+sentinel://a/main/0?ssl_ca_certs=/not/there", "ssl_ca_certs names no file"),
        ("unix:///x.sock?db=two", "db must be a number"),
        ("redis://:canary?is@cache/0", "cannot be read"),
    ],
)
def test_an_address_of_redis_that_cannot_be_right_is_a_fault(url: str, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        from_environ(CommonSettings, {"ENCRYPTION_KEYS": KEY, "REDIS_URL": url})

    assert len(caught.value.faults) == 1
    assert told in caught.value.faults[0]
    assert "canary" not in str(caught.value)


def test_printing_settings_shows_no_secret() -> None:
    settings = from_environ(CommonSettings, NEEDED | {"REDIS_URL": "redis://:canary@cache:6379/0"})

    assert KEY not in repr(settings)
    assert "canary" not in repr(settings)
    assert "port=1455" in repr(settings)


def test_a_file_of_authorities_that_is_none_stops_the_start(tmp_path: Path) -> None:
    empty, good = tmp_path / "empty.pem", Authority(tmp_path).path
    empty.write_text("no certificate\n")

    assert faults_of({**NEEDED, "SSL_CERT_FILE": str(tmp_path / "none.pem")}) == [
        f"SSL_CERT_FILE: cannot read {tmp_path}/none.pem: No such file or directory."
    ]
    assert faults_of({**NEEDED, "SSL_CERT_FILE": str(empty)}) == [
        f"SSL_CERT_FILE: {empty} holds no certificates in PEM."
    ]
    from_environ(CommonSettings, {**NEEDED, "SSL_CERT_FILE": str(good)})


def test_a_secret_is_not_read_from_a_file_without_end() -> None:
    with pytest.raises(SettingsError, match="ENCRYPTION_KEYS_FILE: /dev/zero is too large"):
        from_environ(CommonSettings, {"ENCRYPTION_KEYS_FILE": "/dev/zero"})
