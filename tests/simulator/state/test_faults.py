from typing import Any

import pytest

from codex_proapi.simulator.state.fault_rules import FaultRules, Rule
from codex_proapi.simulator.state.faults import NAMED, NO_FAULT, Fault, UnknownFault, named_fault

OVERLOADED = NAMED["overloaded"]


def fault_rules(*rules: Any) -> Any:
    made = FaultRules()
    for rule in rules:
        made.add(rule)
    return made


def test_without_a_rule_all_is_well() -> None:
    assert FaultRules().take("responses", account="ada") is NO_FAULT


def test_a_rule_applies_as_often_as_it_says() -> None:
    rules = fault_rules(Rule(fault=OVERLOADED, times=2))

    assert [rules.take("responses") for _ in range(3)] == [OVERLOADED, OVERLOADED, NO_FAULT]


def test_a_rule_without_times_applies_always() -> None:
    rules = fault_rules(Rule(fault=OVERLOADED, times=None))

    assert [rules.take("responses") for _ in range(3)] == [OVERLOADED] * 3


def test_a_rule_may_let_calls_pass_first() -> None:
    rules = fault_rules(Rule(fault=OVERLOADED, skip=1))

    assert [rules.take("responses") for _ in range(3)] == [NO_FAULT, OVERLOADED, NO_FAULT]


def test_a_rule_is_about_one_account_model_and_call() -> None:
    rules = fault_rules(Rule(fault=OVERLOADED, times=None, account="ada", model="gpt-5.5"))

    assert rules.take("responses", account="ben", model="gpt-5.5") is NO_FAULT
    assert rules.take("responses", account="ada", model="gpt-6-sol") is NO_FAULT
    assert rules.take("token", account="ada", model="gpt-5.5") is NO_FAULT
    assert rules.take("responses", account="ada", model="gpt-5.5") is OVERLOADED


def test_rules_are_tried_in_order() -> None:
    rules = fault_rules(Rule(fault=OVERLOADED), Rule(fault=NAMED["slow_down"]))

    assert [rules.take("responses").refusal for _ in range(3)] == ["overloaded", "slow_down", ""]


def test_a_named_fault_takes_changes_as_text_too() -> None:
    fault = named_fault("failed", {"failure": "slow_down", "words": "3"})

    assert (fault.failure, fault.words) == ("slow_down", 3)


def test_an_unknown_name_or_field_is_said() -> None:
    with pytest.raises(UnknownFault, match="no fault is called 'flood'"):
        named_fault("flood", {})
    with pytest.raises(UnknownFault, match="wordz"):
        named_fault("failed", {"wordz": 3})


def test_a_marker_in_a_prompt_scripts_its_own_fault() -> None:
    fault = FaultRules().marked("please [[fault:failed failure=slow_down words=2]] say hi")

    assert fault == Fault(failure="slow_down", words=2)


def test_a_marker_may_apply_once() -> None:
    rules = FaultRules()

    assert rules.marked("[[fault:overloaded once]]") == OVERLOADED
    assert rules.marked("[[fault:overloaded once]]") is None


def test_a_wrong_marker_is_no_marker() -> None:
    assert FaultRules().marked("[[fault:flood]]") is None
    assert FaultRules().marked("hello") is None


def test_clear_forgets_rules_and_markers() -> None:
    rules = fault_rules(Rule(fault=OVERLOADED))
    rules.marked("[[fault:overloaded once]]")

    rules.clear()

    assert rules.take("responses") is NO_FAULT
    assert rules.marked("[[fault:overloaded once]]") == OVERLOADED
