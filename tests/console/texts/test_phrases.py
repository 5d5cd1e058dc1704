from codex_proapi.console.errors import Code
from codex_proapi.console.texts.phrases import CURES, FAULTS, N_


def test_a_mark_changes_nothing() -> None:
    assert N_("Copy") == "Copy"


def test_every_code_of_the_console_has_its_sentence() -> None:
    assert {code.value for code in Code} - FAULTS.keys() == set()


def test_a_cure_belongs_to_a_fault() -> None:
    assert CURES.keys() - FAULTS.keys() == set()


def test_sentences_end_as_sentences() -> None:
    assert [text for text in FAULTS.values() if not text.endswith(".")] == []
