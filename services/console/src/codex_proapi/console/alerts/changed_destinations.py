"""Makes and changes destinations from what people enter, and says what is wrong with it. Pure."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from codex_proapi.console.alerts.destinations import (
    Destination,
    Secrets,
    Shape,
    address_fault,
    new_id,
    new_secret,
)
from codex_proapi.console.alerts.kinds import AlertKind
from codex_proapi.console.texts.language import Language

_MAILBOX: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,189}")
_HIDDEN: Final = ("address", "secret")
_WITH_SECRET: Final = frozenset({Shape.JSON, Shape.FEISHU, Shape.DINGTALK, Shape.EMAIL})
"""Shapes that can use a secret; Slack's address is all it asks for."""


class DestinationFault(Exception):
    """What was entered cannot be used; `param` names where."""

    def __init__(self, param: str, what: str) -> None:
        self.param = param
        super().__init__(f"{param} {what}.")


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A destination as it was entered."""

    name: str
    shape: Shape
    address: str
    secret: str = ""
    sender: str = ""
    recipients: tuple[str, ...] = ()
    kinds: tuple[AlertKind, ...] = ()
    language: Language = Language.ENGLISH
    enabled: bool = True


def made_destination(draft: Draft, *, now: int) -> tuple[Destination, Secrets, str]:
    """A new destination, its secrets, and the secret to show once (empty if none was made).

    Raises DestinationFault.
    """
    made_secret = new_secret() if draft.shape is Shape.JSON and not draft.secret else ""
    destination = Destination(
        id=new_id(),
        name=draft.name.strip(),
        shape=draft.shape,
        host="",
        kinds=tuple(kind.value for kind in draft.kinds),
        language=draft.language,
        sender=draft.sender,
        recipients=draft.recipients,
        enabled=draft.enabled,
        created_at=now,
    )
    opened = Secrets(
        destination=destination.id,
        address=draft.address.strip(),
        secret=draft.secret or made_secret,
    )
    _check(destination, opened)
    return destination, opened, made_secret


def changed_destination(
    before: Destination, opened: Secrets | None, changes: Mapping[str, Any]
) -> tuple[Destination, Secrets]:
    """A destination and its secrets after changes.

    A new address needs the secret again: who may change a destination must not have its secret sent
    to a server of his. Raises DestinationFault.
    """
    fields = {name: value for name, value in changes.items() if name not in _HIDDEN}
    if "kinds" in fields:
        fields["kinds"] = tuple(AlertKind(kind).value for kind in fields["kinds"])
    address = changes.get("address", opened.address if opened else None)
    if address is None:
        raise DestinationFault("address", "is needed again: no encryption key opens the stored one")
    secret = changes.get("secret", opened.secret if opened else "")
    moved = opened is not None and address != opened.address
    if moved and opened is not None and opened.secret and "secret" not in changes:
        raise DestinationFault("secret", "is needed again with a new address")
    after = msgspec.structs.replace(before, **fields)
    secrets = Secrets(destination=before.id, address=address, secret=secret)
    _check(after, secrets)
    return after, secrets


def _check(destination: Destination, opened: Secrets) -> None:
    if not destination.name.strip():
        raise DestinationFault("name", "must not be empty")
    if what := address_fault(destination.shape, opened.address):
        raise DestinationFault("address", what)
    if opened.secret and destination.shape not in _WITH_SECRET:
        raise DestinationFault("secret", "is of no use here: the address is the secret")
    if not (opened.secret.isascii() and opened.secret.isprintable()):
        raise DestinationFault("secret", "must be plain ASCII")
    mail = destination.shape is Shape.EMAIL
    if mail and not _MAILBOX.fullmatch(destination.sender):
        raise DestinationFault("sender", "must be an e-mail address")
    if mail and not destination.recipients:
        raise DestinationFault("recipients", "must name somebody")
    if not all(_MAILBOX.fullmatch(each) for each in destination.recipients):
        raise DestinationFault("recipients", "must be e-mail addresses")
