"""The report in a few lines, for the end of a run in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from codeio.report.reasons import meaning

if TYPE_CHECKING:
    from rich.console import RenderableType

    from codeio.report.figures import Report

_REASONS_SHOWN = 8


def terminal_summary(report: Report) -> RenderableType:
    """Return the yield, the time, and the most frequent rejections."""
    return Group(_yield(report), Text(), _rejections(report), Text(), _facts(report))


def _yield(report: Report) -> Table:
    table = Table(title="Yield", title_justify="left", box=None, pad_edge=False)
    table.add_column("what")
    table.add_column("count", justify="right")
    table.add_column("share", justify="right")
    for label, count, of in (
        ("raw files", report.raw_files, 0),
        ("  with a program past the bar", report.files_with_program, report.raw_files),
        ("programs normalised", report.programs_normalised, 0),
        ("  executed, past the bar", report.programs, report.programs_normalised),
        ("reproducible pairs", report.pairs, 0),
        ("samples", report.samples, 0),
        ("  correct", report.samples_correct, report.samples),
    ):
        table.add_row(label, f"{count:,}", f"{count / of:.1%}" if of else "")
    return table


def _rejections(report: Report) -> Table:
    table = Table(
        title=f"Rejections: {report.rejected.total():,}",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    table.add_column("stage")
    table.add_column("reason")
    table.add_column("count", justify="right")
    table.add_column("meaning", overflow="fold")
    refusals = sorted(report.refusals, key=lambda refusal: -refusal.count)
    for refusal in refusals[:_REASONS_SHOWN]:
        # Names come from data: as Text they are shown and not read as markup.
        table.add_row(
            Text(refusal.stage),
            Text(refusal.reason),
            f"{refusal.count:,}",
            Text(meaning(refusal.reason), style="dim"),
        )
    return table


def _facts(report: Report) -> Text:
    lines = [
        "time: "
        + ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in report.seconds.items())
    ]
    predicted = sum(report.input_predictions.values())
    if searched := report.input_predictions.get("search"):
        lines.append(
            f"input predictions found by search alone: {searched:,} of {predicted:,}"
            f" ({searched / predicted:.1%})"
        )
    if report.samples_with_claims:
        lines.append(
            f"rationales of which a trace refutes nothing: {report.samples_with_claims_checked:,}"
            f" of {report.samples_with_claims:,} ("
            + ", ".join(f"{number:,} {name}" for name, number in report.statements.items())
            + " statements)"
        )
    if asked := report.teacher:
        lines.append(
            f"asked of the model: {asked['answered']:,} answered, {asked['stored']:,} from the "
            f"response store, {asked['prompt_tokens'] + asked['completion_tokens']:,} tokens, "
            f"${asked['cost_usd']:,.2f}"
        )
        lines.append(
            "its answers ended: "
            + ", ".join(f"{name} {number:,}" for name, number in asked["finish_reasons"].items())
        )
    if report.stopped:
        lines.append(f"stopped before the end: {report.stopped}")
    if report.dead_letters:
        lines.append(f"records that broke a stage: {report.dead_letters:,}")
    return Text("\n".join(lines))
