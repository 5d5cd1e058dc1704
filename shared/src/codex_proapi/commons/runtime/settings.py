"""Settings from environment variables, read once into a frozen Struct; faults come together.

`CommonSettings` has what both services read; each service inherits from it and adds its own fields.
Nothing here reads `os.environ`: the caller passes the environment.
"""

import enum
import ipaddress
import pathlib
import re
import ssl
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl, urlsplit

import msgspec
from cryptography.fernet import Fernet

from codex_proapi.commons.proxy.address import Proxy, ProxyRules, parse_proxy
from codex_proapi.commons.runtime.errors import SettingsError
from codex_proapi.commons.runtime.setting_names import unknown_names, without_prefix

Secret = msgspec.Meta(extra={"secret": True})
"""Marks a field that is never printed and may come from a file: `ENCRYPTION_KEYS_FILE`."""

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
"""One CIDR of a list of networks."""

Url: TypeAlias = Annotated[str, msgspec.Meta(extra={"url": ("http", "https")})]
"""An `http` or `https` address; a trailing slash is taken off."""

LOOPBACK: tuple[Network, ...] = (
    ipaddress.ip_network("127.0.0.0/8"),
    ipaddress.ip_network("::1/128"),
)
"""The machine itself."""

LOWER_CASE_TOO = frozenset({"HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"})
"""Names that other programs read too; the lower-case spelling is the older and more common one."""

MOST_SECRET_BYTES = 1 << 16
"""A larger file holds no secret of ours."""

REDIS_OPTIONS = {
    **dict.fromkeys(("db", "timeout", "socket_timeout", "socket_connect_timeout"), "number"),
    **dict.fromkeys(("max_connections", "health_check_interval", "protocol"), "number"),
    **dict.fromkeys(("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"), "file"),
    **dict.fromkeys(("ssl_cert_reqs", "ssl_check_hostname", "ssl_ca_path"), "word"),
    **dict.fromkeys(("client_name", "socket_keepalive", "username", "password"), "word"),
    **dict.fromkeys(("sentinel_username", "sentinel_password", "sentinel_tls"), "word"),
}
"""What an address of Redis may say after its `?`, and of what kind it is."""
REDIS_SCHEMES = (
    *("redis", "rediss", "unix"),
    *("redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"),
)
"""Schemes `codex_proapi.commons.redis.clients.connect` understands."""

Threshold: TypeAlias = Literal["debug", "info", "warning", "error"]
"""The least level that is logged."""

Switch: TypeAlias = Literal["on", "off"]
"""Whether something is used."""

_KINDS: dict[Any, str] = {bool: "true or false", int: "a whole number", float: "a number"}

T = TypeVar("T", bound=msgspec.Struct)


class CommonSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What both services read. Printing it shows no secret."""

    host: str = "127.0.0.1"
    """Address to listen on; containers say `0.0.0.0`."""
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 1455
    """Port to listen on; 0 takes a free one."""
    redis_url: Annotated[str, Secret] = "redis://localhost:6379/0"
    """`redis://`, `rediss://`, `unix://`, `redis+sentinel://`, `redis+cluster://`."""
    data_dir: pathlib.Path = pathlib.Path("~/.codex-proapi")
    """Folder of the embedded Redis and of generated secrets."""
    public_url: Url = ""
    """Address under which clients and browsers reach us; empty when it is not fixed."""
    trusted_proxies: tuple[Network, ...] = LOOPBACK
    """Proxies whose `X-Forwarded-*` headers are believed."""
    encryption_keys: Annotated[tuple[str, ...], Secret] = ()
    """Fernet keys; the first one encrypts, all of them decrypt."""
    codex_base_url: Url = "https://chatgpt.com/backend-api/codex"
    """The backend; its parent has `wham/usage`."""
    codex_auth_url: Url = "https://auth.openai.com"
    """The authorization server."""
    codex_client_id: str = "app_EMoamEEZ73f0CkXaXp7hrann"
    """Public OAuth client id of the Codex CLI."""
    codex_client_version: str = "0.171.0"
    """Version of the Codex CLI we speak like; the backend refuses old ones."""
    codex_originator: str = "codex_cli_rs"
    """Name of the client we speak like; the backend sheds load by it."""
    upstream_proxy: Annotated[str, Secret] = ""
    """Proxy for all that goes upstream: `http://`, `https://`, `socks5://`, `socks5h://`."""
    https_proxy: Annotated[str, Secret] = ""
    """Proxy of the machine's environment, where UPSTREAM_PROXY is not set."""
    all_proxy: Annotated[str, Secret] = ""
    """The same, where HTTPS_PROXY is not set either."""
    no_proxy: str = ""
    """Hosts that are reached directly in spite of HTTPS_PROXY and ALL_PROXY."""
    log_level: Threshold = "info"
    """Least level that is logged."""
    metrics_token: Annotated[str, Secret] = ""
    """What `/metrics` asks for as a bearer token; empty is nothing."""
    native_code: Switch = "on"
    """Whether compiled functions serve where they are installed; `off` to tell whether a fault is theirs."""

    def __repr__(self) -> str:
        hidden = {name for name, hint in hints_of(type(self)).items() if is_secret(hint)}
        fields = (
            f"{name}={'…' if name in hidden else getattr(self, name)!r}"
            for name in self.__struct_fields__
        )
        return f"{type(self).__name__}({', '.join(fields)})"

    def faults(self) -> list[str]:
        """One sentence for each value that its type alone cannot refuse."""
        found = []
        if fault := _redis_fault(self.redis_url):
            found.append(fault)
        for name, text in self._proxies():
            try:
                parse_proxy(text)
            except ValueError as error:
                found.append(f"{name} {error}")
        if not self.encryption_keys:
            found.append("ENCRYPTION_KEYS is required: a comma-separated list of Fernet keys.")
        for number, key in enumerate(self.encryption_keys, start=1):
            try:
                Fernet(key)
            except ValueError:
                found.append(
                    f"ENCRYPTION_KEYS: key {number} is no Fernet key (32 bytes in url-safe base64)."
                )
        return found

    @property
    def proxy_rules(self) -> ProxyRules:
        """Which proxy leads upstream. Raises ValueError where `faults` has found one."""
        proxies: dict[str, Proxy] = {name: parse_proxy(text) for name, text in self._proxies()}
        explicit = proxies.pop("UPSTREAM_PROXY", None)
        environment = next(iter(proxies.values()), None)
        return ProxyRules(explicit=explicit, environment=environment, no_proxy=self.no_proxy)

    def _proxies(self) -> list[tuple[str, str]]:
        """The setting that names the proxy, with its text; empty if there is none."""
        provided = [
            ("UPSTREAM_PROXY", self.upstream_proxy),
            ("HTTPS_PROXY", self.https_proxy),
            ("ALL_PROXY", self.all_proxy),
        ]
        return [(name, text) for name, text in provided if text][:1]


def _redis_fault(url: str) -> str:
    """What is wrong with the address of Redis, without showing it; empty if nothing is."""
    unreadable = (
        "REDIS_URL cannot be read: its port must be a number, and in its password / ? # @ : [ ] % "
        "must be percent-encoded (%2F for /)."
    )
    try:
        parts = urlsplit(url)
        if parts.scheme not in REDIS_SCHEMES:
            return f"REDIS_URL must begin with one of {', '.join(REDIS_SCHEMES)}."
        if parts.scheme in {"redis", "rediss"}:
            _ = parts.port  # ValueError where it is none; the other schemes may name several
    except ValueError:
        return unreadable
    if parts.scheme == "unix":
        return _option_fault(parts.query, unreadable)
    if "@" in f"{parts.path}{parts.fragment}":
        return unreadable
    group, _, database = parts.path.strip("/").partition("/")
    if not parts.scheme.endswith("+sentinel"):
        group, database = "-", parts.path.strip("/")
    if not group:
        return "REDIS_URL names no group of the Sentinels: redis+sentinel://host:26379/GROUP/0."
    if database and not database.isdecimal():
        return "REDIS_URL must end with the number of a database, such as /0."
    return _option_fault(parts.query, unreadable)


def _option_fault(query: str, unreadable: str) -> str:
    """What is wrong with the options after the `?` of an address of Redis."""
    for name, value in parse_qsl(query, keep_blank_values=True):
        if not name.isidentifier():
            return unreadable  # the rest of a password with a question mark
        kind = REDIS_OPTIONS.get(name)
        if kind is None:
            return f"REDIS_URL has an option {name}, which is none."
        if kind == "number" and not re.fullmatch(r"\d+(\.\d+)?", value):
            return f"REDIS_URL: {name} must be a number."
        if kind == "file" and not pathlib.Path(value).is_file():
            return f"REDIS_URL: {name} names no file: {value}."
    return ""


def hints_of(cls: type[msgspec.Struct]) -> dict[str, Any]:
    """Types of the fields of a settings Struct, annotations included."""
    return get_type_hints(cls, include_extras=True)


def is_secret(hint: object) -> bool:
    """Whether a field is marked with `Secret`."""
    return any(mark is Secret for mark in getattr(hint, "__metadata__", ()))


def from_environ(cls: type[T], environ: Mapping[str, str]) -> T:
    """Read a settings Struct from an environment.

    Args:
        cls: The Struct; a field `redis_url` is read from `REDIS_URL`.
        environ: Variables and their texts, with or without `CODEX_PROAPI_` (`setting_names`).

    Raises:
        SettingsError: With one sentence for each fault.
    """
    faults: list[str] = []
    values: dict[str, Any] = {}
    hints = hints_of(cls)
    environ = without_prefix(environ)
    for field in msgspec.structs.fields(cls):
        name = field.name.upper()
        text = _text(name, environ, secret=is_secret(hints[field.name]), faults=faults)
        if text is not None:
            try:
                values[field.name] = _value(text, hints[field.name])
            except ValueError as error:
                faults.append(f"{name}: {error}")
    known = frozenset(field.name.upper() for field in msgspec.structs.fields(cls))
    faults += [f"{name} is not a setting of ours." for name in unknown_names(environ, known)]
    if issubclass(cls, CommonSettings):
        faults += _authority_faults(environ)
    settings = cls(**values)
    faults.extend(settings.faults() if isinstance(settings, CommonSettings) else [])
    if faults:
        raise SettingsError(faults)
    return settings


def _authority_faults(environ: Mapping[str, str]) -> list[str]:
    """A fault where SSL_CERT_FILE, which OpenSSL reads itself, names no file of authorities.

    OpenSSL says nothing then, and trusts nobody or, here, the usual authorities.
    """
    path = environ.get("SSL_CERT_FILE")
    if not path:
        return []
    try:
        found = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        found.load_verify_locations(path)
    except ssl.SSLError:
        return [f"SSL_CERT_FILE: {path} holds no certificates in PEM."]
    except OSError as error:
        return [f"SSL_CERT_FILE: cannot read {path}: {error.strerror}."]
    return []


def _text(name: str, environ: Mapping[str, str], *, secret: bool, faults: list[str]) -> str | None:
    """The text of a setting, from its variable or (secrets only) from the file it names."""
    text = environ.get(name)
    if not text and name in LOWER_CASE_TOO:
        text = environ.get(name.lower())
    path = environ.get(f"{name}_FILE") if secret else None
    if not path:
        return text or None
    if text:
        faults.append(f"{name} and {name}_FILE are both set; leave one out.")
        return None
    try:
        with pathlib.Path(path).open("rb") as file:
            content = file.read(MOST_SECRET_BYTES + 1)
        if len(content) > MOST_SECRET_BYTES:
            faults.append(f"{name}_FILE: {path} is too large for a secret.")
            return None
        return content.decode().strip() or None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        faults.append(f"{name}_FILE: cannot read {path}: {reason}.")
        return None


def _value(text: str, hint: Any) -> Any:
    """Convert a text to the type of its field; ValueError says what is wrong, without the text."""
    text = text.strip()
    extra = _extra(hint)
    if "url" in extra:
        return _url(text, extra["url"])
    plain = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    raw: Any = text
    if get_origin(plain) is tuple:
        raw = [part.strip() for part in text.split(",") if part.strip()]
        if get_args(plain)[0] == Network:
            return tuple(_network(part) for part in raw)
    elif get_origin(plain) is dict:
        raw = dict(_pair(part) for part in text.split(",") if part.strip())
    elif plain is pathlib.Path:
        return pathlib.Path(text)
    try:
        return msgspec.convert(raw, hint, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(_fault_of(error, plain)) from None


def _fault_of(error: msgspec.ValidationError, plain: Any) -> str:
    """What is wrong with a value of a type, in words, with the values there are where they are few."""
    kinds = [plain, *get_args(plain)]
    words = [
        str(getattr(word, "value", word))
        for kind in kinds
        for word in (kind if isinstance(kind, enum.EnumMeta) else _words(kind))
    ]
    if words:
        return f"must be one of {', '.join(words)}."
    told = next((told for kind, told in _KINDS.items() if kind in kinds), "")
    return f"must be {told}." if told and ", got " in str(error) else f"{error}.".replace("`", "")


def _words(kind: Any) -> Sequence[Any]:
    return get_args(kind) if get_origin(kind) is Literal else ()


def _extra(hint: Any) -> Mapping[str, Any]:
    """The extras of all marks of a field."""
    marks = getattr(hint, "__metadata__", ())
    return {key: value for mark in marks for key, value in (mark.extra or {}).items()}


def _url(text: str, schemes: Sequence[str]) -> str:
    parts = urlsplit(text)
    if parts.scheme not in schemes or not parts.hostname:
        raise ValueError(f"must be an address that begins with {' or '.join(schemes)}://.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must be a plain address, without credentials, query or fragment.")
    return text.rstrip("/")


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is no address range such as 10.0.0.0/8.") from None


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise ValueError(f"{text.strip()!r} must be written name=value.")
    return name.strip(), value.strip()
