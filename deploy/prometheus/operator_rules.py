"""Writes the Prometheus operator's form of alerts.yml: `python deploy/prometheus/operator_rules.py`.

The groups are the same text, indented; a test compares.
"""  # noqa: INP001

import pathlib
import textwrap

HERE = pathlib.Path(__file__).parent
TARGET = HERE.parent / "k8s" / "components" / "monitoring" / "rules.yaml"
HEAD = """\
# Written by deploy/prometheus/operator_rules.py from alerts.yml beside it; change that one.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: codex-proapi
  labels:
    app.kubernetes.io/part-of: codex-proapi
spec:
"""


def text() -> str:
    """The PrometheusRule."""
    rules = (HERE / "alerts.yml").read_text(encoding="utf-8")
    return HEAD + textwrap.indent(rules[rules.index("groups:") :], "  ")


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
