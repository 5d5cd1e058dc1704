"""Where alerts are delivered: the store of destinations. Their addresses and secrets are sealed.

An address of a chat is a secret itself (whoever has it can post), so only its host is shown.
"""

import base64
import contextlib
import enum
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.redis import operator_keys
from codex_proapi.commons.redis.clients import ask, mapped, text
from codex_proapi.commons.runtime.cipher import Cipher
from codex_proapi.commons.runtime.stored_records import UNREADABLE, read_json
from codex_proapi.console.alerts.kinds import AlertKind
from codex_proapi.console.texts.language import Language

MOST_DESTINATIONS = 20
WEBHOOK_SCHEMES = ("https", "http")
MAIL_SCHEMES = ("smtps", "smtp")
SECRET_PREFIX = "whsec_"  # noqa: S105 - how Standard Webhooks begins a secret
_PORTS = {"https": 443, "http": 80, "smtps": 465, "smtp": 587}


class Shape(enum.StrEnum):
    """What a destination understands."""

    JSON = "json"
    """A webhook with our own JSON, signed as Standard Webhooks has it."""
    SLACK = "slack"
    FEISHU = "feishu"
    DINGTALK = "dingtalk"
    EMAIL = "email"


class Destination(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One destination, without its secrets."""

    id: str
    name: str
    shape: Shape
    host: str
    """Host and port of its address."""
    kinds: tuple[str, ...] = ()
    """Kinds of alerts it gets; empty is all."""
    language: Language = Language.ENGLISH
    sender: str = ""
    """Of e-mail."""
    recipients: tuple[str, ...] = ()
    """Of e-mail."""
    enabled: bool = True
    signed: bool = False
    """Whether it has a secret: messages are signed with it, or (e-mail) it signs in."""
    created_at: int = 0
    sealed: str = ""
    """Address and secret, encrypted."""

    def wants(self, kind: AlertKind) -> bool:
        """Whether it gets alerts of a kind."""
        return self.enabled and (not self.kinds or kind.value in self.kinds)


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """What nobody is shown again."""

    destination: str
    """The id of the destination they belong to."""
    address: str
    secret: str = ""

    def __repr__(self) -> str:
        return f"<Secrets of {self.destination}>"


class DestinationStore:
    """Store of the destinations."""

    def __init__(self, redis: Redis, cipher: Cipher) -> None:
        self._redis = redis
        self._cipher = cipher

    def __repr__(self) -> str:
        return "<DestinationStore>"

    async def all(self) -> list[Destination]:
        """Every destination, oldest first; one this version cannot read is left out."""
        kept = await ask(lambda: self._redis.hgetall(operator_keys.alert_destinations()))
        found = [
            one
            for name, body in kept.items()
            if (
                one := read_json(text(body), Destination, kind="alert destination", name=text(name))
            )
        ]
        return sorted(found, key=lambda one: (one.created_at, one.id))

    async def get(self, destination_id: str) -> Destination | None:
        """One destination."""
        return next((one for one in await self.all() if one.id == destination_id), None)

    async def put(self, destination: Destination, opened: Secrets) -> Destination:
        """Store a destination with its secrets, new or changed; gives it as stored."""
        sealed = self._cipher.seal_bytes(msgspec.json.encode(opened)).decode()
        kept = msgspec.structs.replace(
            destination, sealed=sealed, host=host_of(opened.address), signed=bool(opened.secret)
        )
        with mapped():
            await self._redis.hset(
                operator_keys.alert_destinations(), kept.id, msgspec.json.encode(kept).decode()
            )
        return kept

    async def remove(self, destination_id: str) -> bool:
        """Delete a destination; what waits for it is dropped when its turn comes."""
        with mapped():
            pipe = self._redis.pipeline(transaction=True)
            pipe.hdel(operator_keys.alert_destinations(), destination_id)
            pipe.hdel(operator_keys.alert_outcomes(), destination_id)
            return bool((await pipe.execute())[0])

    def open(self, destination: Destination) -> Secrets | None:
        """Its secrets; None if no encryption key opens them."""
        return _opened(destination, self._cipher)

    async def reseal(self) -> int:
        """Encrypt the secrets again under the first key; returns for how many it worked."""
        opened = [(one, self.open(one)) for one in await self.all()]
        resealed = [await self.put(one, secret) for one, secret in opened if secret is not None]
        return len(resealed)


def new_id() -> str:
    """An id for a destination."""
    return f"dst_{secrets.token_hex(8)}"


def new_secret() -> str:
    """A secret for signatures, as Standard Webhooks writes it."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def host_of(address: str) -> str:
    """Host and port of an address, for people."""
    parts = urlsplit(address)
    return f"{parts.hostname}:{parts.port or _PORTS.get(parts.scheme, 0)}"


def address_fault(shape: Shape, address: str) -> str:
    """What is wrong with an address, in English; empty if nothing is."""
    schemes = MAIL_SCHEMES if shape is Shape.EMAIL else WEBHOOK_SCHEMES
    try:
        parts = urlsplit(address)
        bad_port = parts.port == 0
    except ValueError:
        return "cannot be read as an address"
    if parts.scheme not in schemes or not parts.hostname:
        return f"must begin with {' or '.join(f'{each}://' for each in schemes)}"
    if not address.isascii() or not address.isprintable() or " " in address or "\\" in address:
        return "must be plain ASCII without blanks"
    if parts.password is not None or (parts.username and shape is not Shape.EMAIL):
        return "must not hold a password: the secret has its own field"
    if bad_port or parts.fragment or (shape is Shape.EMAIL and (parts.path or parts.query)):
        return "must not have a fragment, or of a mail server a path, or the port 0"
    return ""


def resealed_destinations(
    values: Mapping[str, Any], *, source: Cipher, target: Cipher
) -> dict[str, Any]:
    """The hash of destinations with secrets under the target's first key; others stay sealed."""
    made = dict(values)
    for name, body in values.items():
        with contextlib.suppress(msgspec.MsgspecError):
            one = msgspec.json.decode(str(body), type=Destination)
            opened = _opened(one, source)
            if opened is not None:
                sealed = target.seal_bytes(msgspec.json.encode(opened)).decode()
                made[name] = msgspec.json.encode(
                    msgspec.structs.replace(one, sealed=sealed)
                ).decode()
    return made


def _opened(destination: Destination, cipher: Cipher) -> Secrets | None:
    plain = cipher.open_bytes(destination.sealed.encode())
    if plain is None:
        return None
    try:
        opened = msgspec.json.decode(plain, type=Secrets)
    except msgspec.MsgspecError:
        opened = None
    if opened is None or opened.destination != destination.id:
        UNREADABLE.note("alert destination", destination.id, "not its own secrets")
        return None
    return opened
