"""What a message says, in the language of its destination. Pure."""

from typing import Final

import msgspec

from codex_proapi.commons.usage.calendar import UTC, Calendar
from codex_proapi.console.alerts.kinds import AlertKind, Notification, Phase, Subject
from codex_proapi.console.texts.catalogue import texts_of
from codex_proapi.console.texts.language import Language
from codex_proapi.console.texts.phrases import N_

MOST_NAME: Final = 100
"""Most characters of a name in a message: names come from sign-ins and from the backend."""
KINDS: Final[dict[AlertKind, str]] = {
    AlertKind.ACCOUNT_SIGN_IN: N_("An account needs signing in"),
    AlertKind.WINDOW_LOW: N_("A quota window is nearly empty"),
    AlertKind.POOL_DRY: N_("No account can be asked"),
    AlertKind.RESET_EXPIRING: N_("A saved reset is about to expire"),
    AlertKind.MODEL_SUBSTITUTED: N_("Another model answered than was asked for"),
    AlertKind.UPSTREAM_DRIFT: N_("OpenAI's backend sends something new"),
    AlertKind.BACKUP_OLD: N_("The last backup is too old"),
}
"""What each kind is called; also the title while it lasts."""
ENDS: Final[dict[AlertKind, str]] = {
    AlertKind.ACCOUNT_SIGN_IN: N_("Over: an account needed signing in"),
    AlertKind.WINDOW_LOW: N_("Over: a quota window was nearly empty"),
    AlertKind.POOL_DRY: N_("Over: no account could be asked"),
    AlertKind.RESET_EXPIRING: N_("Over: a saved reset was about to expire"),
    AlertKind.MODEL_SUBSTITUTED: N_("Over: another model answered than was asked for"),
    AlertKind.UPSTREAM_DRIFT: N_("Over: something new from OpenAI's backend was not seen again"),
    AlertKind.BACKUP_OLD: N_("Over: there is a new backup"),
}
TEST: Final = N_("A test: this destination gets alerts")
_STATES: Final = {
    "sign_in": N_("OpenAI no longer accepts its login."),
    "new_token": N_("OpenAI no longer accepts its personal access token."),
    "disabled": N_("OpenAI has closed the account, or its plan has no Codex."),
}
_SORTS: Final = {"event": N_("event"), "field": N_("field"), "refusal": N_("refusal")}


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A title and lines, without markup."""

    title: str
    lines: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join((self.title, *self.lines))


def message_of(
    notification: Notification,
    language: Language,
    *,
    console: str = "",
    calendar: Calendar = UTC,
) -> Message:
    """What a notification says.

    Args:
        notification: What is told.
        language: In which language.
        console: Address of the console, for a last line; empty where it has none of its own.
        calendar: Has the zone that times are told in, with its name.
    """
    texts = texts_of(language)
    titles = ENDS if notification.phase is Phase.RESOLVED else KINDS
    test = notification.phase is Phase.TEST
    title = texts.gettext(TEST if test else titles[notification.kind])
    lines = [_line(each, notification, language, calendar) for each in notification.subjects]
    if notification.more:
        more = texts.ngettext("and %(num)s more", "and %(num)s more", notification.more)
        lines.append(more % {"num": notification.more})
    if console:
        lines.append(console)
    return Message(title=f"Codex Pro API: {title}", lines=tuple(filter(None, lines)))


def _line(
    subject: Subject, notification: Notification, language: Language, calendar: Calendar
) -> str:
    _ = texts_of(language).gettext
    name, at = clean(subject.name), calendar.told(subject.at) if subject.at else ""
    over = notification.phase is Phase.RESOLVED
    match notification.kind:
        case AlertKind.ACCOUNT_SIGN_IN:
            return name if over else f"{name}: {_(_STATES.get(subject.state, ''))}"
        case AlertKind.WINDOW_LOW if over:
            return f"{name} ({_span(subject.minutes)})"
        case AlertKind.WINDOW_LOW:
            said = _("%(name)s (%(span)s): %(left)s %% left, resets %(at)s")
            left = f"{subject.left or 0:.0f}"
            span = _span(subject.minutes)
            return said % {"name": name, "span": span, "left": left, "at": at}
        case AlertKind.POOL_DRY if not over:
            closed = _("Their owners' terms close the accounts.") if subject.state else ""
            back = _("The next account is expected back %(at)s.") % {"at": at} if at else ""
            return " ".join(filter(None, (closed, back)))
        case AlertKind.RESET_EXPIRING:
            return name if over else _("%(name)s: lost %(at)s") % {"name": name, "at": at}
        case AlertKind.MODEL_SUBSTITUTED:
            said = _("%(name)s: %(answered)s in place of %(sent)s")
            answered, sent = clean(subject.answered_model), clean(subject.sent_model)
            return said % {"name": name, "answered": answered, "sent": sent}
        case AlertKind.UPSTREAM_DRIFT:
            sort = _(_SORTS[subject.state]) if subject.state in _SORTS else ""
            return f"{sort} {name}".strip()
        case AlertKind.BACKUP_OLD if not over:
            if not subject.at:
                return _("There is none yet: codex-proapi backup FILE writes one.")
            return _("It was written %(at)s.") % {"at": at}
        case _:
            return ""


def clean(name: str) -> str:
    """A name on one line, without control characters."""
    plain = "".join(letter if letter.isprintable() else " " for letter in name)
    return " ".join(plain.split())[:MOST_NAME]


def _span(minutes: int) -> str:
    hours = minutes / 60
    return f"{hours / 24:g} d" if hours % 24 == 0 and hours else f"{hours:g} h"
