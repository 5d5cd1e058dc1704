"""Each kind of finding has its verdict."""

from codex_proapi.console.cli.reports.findings import Verdict, failure, fine, warning


def test_verdicts() -> None:
    assert fine("a", "b").verdict is Verdict.OK
    assert warning("a", "b", "c").verdict is Verdict.WARN
    assert failure("a", "b", "c").cure == "c"
