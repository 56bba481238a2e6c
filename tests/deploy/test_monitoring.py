"""Alerts and dashboards ask for what is measured, and each alert has its runbook."""

from __future__ import annotations

import json
import re

import yaml
from prometheus_client import REGISTRY

import codeio.runtime.metrics as codeio_metrics
from codeio.trainer import progress
from tests.deploy.chart import CHART, ROOT, rendered

ALERTS = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())
DASHBOARD = json.loads((CHART / "files" / "dashboard.json").read_text())
RUNBOOKS = (ROOT / "docs" / "operations.md").read_text()


def measured() -> set[str]:
    assert codeio_metrics.__doc__
    names = set()
    for family in REGISTRY.collect():
        if family.name.startswith("codeio_"):
            ends = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
            names |= {family.name + end for end in ends.get(family.type, ("",))}
    return names


def told_by_trainers() -> set[str]:
    """What the pods of a training run tell, which no other process does."""
    return {f"codeio_training_{name}" for name in progress._GAUGES}


def asked(text: str) -> set[str]:
    return set(re.findall(r"\bcodeio_[a-z_]+", text))


def test_alerts_ask_for_what_is_measured() -> None:
    for name, alert in ALERTS.items():
        assert asked(alert["expr"]) <= measured(), name
        # Of this release alone.
        assert "SELECTOR" in alert["expr"], name
        assert alert["severity"] in ("warning", "critical"), name


def test_each_alert_has_a_runbook() -> None:
    headings = set(re.findall(r"^### (\w+)$", RUNBOOKS, re.MULTILINE))
    assert headings == set(ALERTS)


def test_dashboards_ask_for_what_is_measured() -> None:
    panels = [p for each in DASHBOARD["panels"] for p in (each, *each.get("panels", ()))]
    assert len({panel["id"] for panel in panels}) == len(panels) > 10
    expressions = [t["expr"] for panel in panels for t in panel.get("targets", ())]
    for expression in expressions:
        assert asked(expression)
        assert asked(expression) <= measured() | told_by_trainers(), expression
    shown = {name.removesuffix("_bucket") for e in expressions for name in asked(e)}
    # Whatever is measured is to be seen somewhere.
    everything = {re.sub("_(bucket|count|sum)$", "", name) for name in measured()}
    assert everything - {re.sub("_(count|sum)$", "", name) for name in shown} == set()


def test_the_rule_is_about_this_release() -> None:
    [rule] = [m for m in rendered("production-values.yaml") if m["kind"] == "PrometheusRule"]
    [group] = rule["spec"]["groups"]
    assert len(group["rules"]) == len(ALERTS)
    for each in group["rules"]:
        assert 'namespace="demo"' in each["expr"]
        assert "SELECTOR" not in each["expr"]
        assert each["annotations"]["runbook_url"].endswith(f"#{each['alert'].lower()}")
