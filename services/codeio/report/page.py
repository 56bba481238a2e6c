"""Writes `report.json` and `report.html`.

The page is one file that asks for nothing: no script, no font, no network. All
text from records is escaped by the template engine, and a content security
policy in the page forbids whatever might slip through.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jinja2
import yaml

from codeio.report import plots
from codeio.report.reasons import meaning
from codeio.runtime.atomic import write_atomically
from codeio.runtime.errors import UsageError
from codeio.v1.records_pb2 import Direction, Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from codeio.report.figures import Refusal, Report

_CODE_LINES = 24


def write_report(report: Report, out: Path) -> None:
    """Write `report.json` and `report.html` into the folder `out`.

    Raises:
        UsageError: they cannot be written.
    """
    try:
        text = json.dumps(report.to_json(), indent=2, ensure_ascii=False)
        _write(out / "report.json", text + "\n")
        _write(out / "report.html", render(report))
    except OSError as error:
        raise UsageError(f"cannot write the report to {out}: {error.strerror or error}") from error


def render(report: Report) -> str:
    """Return the page."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("codeio.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": lambda number: f"{number:,}",
        "percent": _percent,
        "words": _words,
        "excerpt": _excerpt,
        "meaning": meaning,
    }
    by_stage: dict[str, list[Refusal]] = {}
    for refusal in report.refusals:
        by_stage.setdefault(refusal.stage, []).append(refusal)
    return environment.get_template("page.html.jinja").render(
        report=report,
        by_stage=by_stage,
        settings=yaml.safe_dump(dict(report.settings), sort_keys=False, allow_unicode=True),
        verdict_names=[name for name, number in Verdict.items() if number],
        Direction=Direction,
        Verdict=Verdict,
        **_plots(report),
    )


def _plots(report: Report) -> dict[str, Any]:
    programs = [
        ("normalised", report.programs_normalised),
        ("executed, past the bar", report.programs),
    ]
    samples = [("verified", report.samples), ("correct", report.samples_correct)]
    if report.dataset:
        programs.append(("unlike each other", sum(report.dataset["programs"].values())))
        samples.append(("correct, in the data set", report.dataset["samples_correct"]))
    files = [
        ("collected", report.raw_files),
        ("with a program past the bar", report.files_with_program),
    ]
    funnels = (
        plots.funnel("Files", files),
        plots.funnel("Programs", programs),
        plots.funnel("Samples", samples),
    )
    return {
        "funnels": funnels,
        "pairs": plots.columns(report.pairs_per_program, noun="programs"),
        "outputs": plots.columns(report.outputs_per_program, noun="programs"),
        "prompts": plots.octaves(report.prompt_chars, noun="prompts", unit="characters"),
        "rationales": plots.octaves(report.rationale_chars, noun="rationales", unit="characters"),
        "times": plots.ranking(report.seconds, unit=" s"),
    }


def _write(path: Path, text: str) -> None:
    # Some path or message of somebody's file may hold half a surrogate pair.
    write_atomically(path, text.encode("utf-8", errors="backslashreplace"))


def _percent(part: float, whole: float) -> str:
    if not whole:
        return "–"
    share = part / whole
    return f"{share:.0%}" if share in {0, 1} else f"{share:.1%}"


def _words(name: str) -> str:
    """Return the name of an enum's value as words."""
    for prefix in ("VERDICT_", "DIRECTION_"):
        name = name.removeprefix(prefix)
    return name.replace("_", " ").lower()


def _excerpt(code: str) -> str:
    lines = code.strip("\n").splitlines()
    if len(lines) <= _CODE_LINES:
        return "\n".join(lines)
    return "\n".join([*lines[:_CODE_LINES], f"… {len(lines) - _CODE_LINES} more lines"])
