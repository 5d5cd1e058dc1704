"""Writes the Prometheus operator's form of alerts.yml: `python deploy/prometheus/operator_rules.py`.

A cluster's Prometheus has everybody's series, so each selector of a series that others may have too
gets our namespace. For another namespace than codex-proapi, print them for your overlay:
`python deploy/prometheus/operator_rules.py NAMESPACE`.
"""  # noqa: INP001

import pathlib
import re
import sys
import textwrap

HERE = pathlib.Path(__file__).parent
TARGET = HERE.parent / "k8s" / "components" / "monitoring" / "rules.yaml"
NAMESPACE = "codex-proapi"
HEAD = """\
# Written by deploy/prometheus/operator_rules.py from alerts.yml beside it; change that one.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: codex-proapi
  labels:
    app.kubernetes.io/part-of: codex-proapi
    # A stock kube-prometheus-stack takes only what carries its release's name.
    release: kube-prometheus-stack
spec:
"""
_SERIES = re.compile(
    r"\b(up|(?:gateway|console|redis|process)_[a-z_]+)\b(?!\s*(?:=[^=]|!=|\())(\{[^}]*\})?"
)
"""A series with its selector, if it has one; recorded series have names of our own."""
_KEY = re.compile(r"^\s*(?:- )?[a-z]+:")


def text(namespace: str = NAMESPACE) -> str:
    """The PrometheusRule."""
    rules = (HERE / "alerts.yml").read_text(encoding="utf-8")
    lines, within = [], False
    for line in rules[rules.index("groups:") :].splitlines():
        if _KEY.match(line):
            within = line.lstrip().startswith("expr:")
        lines.append(scoped(line, namespace) if within else line)
    return HEAD + textwrap.indent("\n".join(lines) + "\n", "  ")


def scoped(expression: str, namespace: str) -> str:
    """An expression, or a line of one, that sees this namespace only."""

    def scope(found: re.Match[str]) -> str:
        inside = (found[2] or "{}")[1:-1]
        parts = [part for part in (inside, f'namespace="{namespace}"') if part]
        return f"{found[1]}{{{','.join(parts)}}}"

    return _SERIES.sub(scope, expression)


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.stdout.write(text(sys.argv[1]))
    else:
        TARGET.write_text(text(), encoding="utf-8")
