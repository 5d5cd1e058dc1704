"""Selects the fault of a call: scripted rules, and markers inside prompts."""

import hashlib
import re
import shlex

import msgspec

from codex_proapi.simulator.state.faults import NO_FAULT, Fault, UnknownFault, named_fault


class Rule(msgspec.Struct, kw_only=True):
    """A fault with its conditions and how often it still applies."""

    fault: Fault
    """What goes wrong."""
    on: str = "responses"
    """Which call: `responses`, `upload` (before the body of POST /responses is read), `images`, `search`, `models`, `usage`, `token`, `authorize`, `usercode`, `device_token`, `revoke`, `whoami`, `check`, `resets`, `redeem` (with `words`: after it was redeemed)."""
    account: str | None = None
    """Only for the account of this name."""
    model: str | None = None
    """Only for this model."""
    times: int | None = 1
    """How often it applies; None: always."""
    skip: int = 0
    """How many matching calls pass unharmed first."""

    def matches(self, on: str, account: str | None, model: str | None) -> bool:
        """Whether it is about this call."""
        return (
            self.on == on
            and (self.account is None or self.account == account)
            and (self.model is None or self.model == model)
            and self.times != 0
        )


class FaultRules:
    """The rules in force, first match wins."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self._served_once: set[str] = set()

    def __repr__(self) -> str:
        return f"<FaultRules of {len(self.rules)} rules>"

    def add(self, rule: Rule) -> None:
        """Add a rule behind the others."""
        self.rules.append(rule)

    def clear(self) -> None:
        """Forget every rule."""
        self.rules.clear()
        self._served_once.clear()

    def take(self, on: str, *, account: str | None = None, model: str | None = None) -> Fault:
        """The fault of this call; one without effect if no rule matches."""
        for rule in self.rules:
            if not rule.matches(on, account, model):
                continue
            if rule.skip > 0:
                rule.skip -= 1
                continue
            if rule.times is not None:
                rule.times -= 1
            return rule.fault
        return NO_FAULT

    def marked(self, prompt: str) -> Fault | None:
        """The fault a marker in the prompt asks for: `[[fault:NAME field=value … once]]`."""
        found = _MARKER.search(prompt)
        if found is None:
            return None
        name, *words = shlex.split(found.group(1))
        changes = dict(word.split("=", 1) for word in words if "=" in word)
        if "once" in words:
            digest = hashlib.sha256(prompt.encode()).hexdigest()
            if digest in self._served_once:
                return None
            self._served_once.add(digest)
        try:
            return named_fault(name, changes)
        except UnknownFault:
            return None


_MARKER = re.compile(r"\[\[fault:([^\]]+)\]\]")
