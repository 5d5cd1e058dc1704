"""What messages say, in both languages."""

import itertools

import pytest

from codex_proapi.commons.usage.calendar import Calendar
from codex_proapi.console.alerts.delivery.messages import message_of
from codex_proapi.console.alerts.kinds import AlertKind, Notification, Phase, Subject
from codex_proapi.console.texts.language import Language


@pytest.mark.parametrize(
    ("kind", "phase", "language"), list(itertools.product(AlertKind, Phase, Language))
)
def test_every_alert_has_words_without_a_placeholder(
    kind: AlertKind, phase: Phase, language: Language
) -> None:
    subject = Subject(id="a", name="ada\r\nBcc: x", state="sign_in", minutes=300, left=8.4, at=90)
    told = Notification(id="n", kind=kind, phase=phase, at=1, subjects=(subject,), more=2)
    message = message_of(told, language, console="https://c.example")

    assert "%" not in message.text.replace("8 %", "")
    assert "\r" not in message.text
    assert message.title.startswith("Codex Pro API: ")
    assert "\n" not in message.title
    assert message.lines[-1] == "https://c.example"


def test_a_window_is_told_with_its_figures() -> None:
    subject = Subject(id="a", name="ada", minutes=10_080, left=7.6, at=1_790_000_000)
    told = Notification(
        id="n", kind=AlertKind.WINDOW_LOW, phase=Phase.FIRING, at=1, subjects=(subject,)
    )

    line = "ada (7 d): 8 % left, resets 2026-09-21 14:13 UTC"
    assert message_of(told, Language.ENGLISH).lines == (line,)

    shanghai = message_of(told, Language.ENGLISH, calendar=Calendar("Asia/Shanghai"))
    assert shanghai.lines == ("ada (7 d): 8 % left, resets 2026-09-21 22:13 Asia/Shanghai",)
