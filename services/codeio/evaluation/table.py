"""The scores as a table for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codeio.evaluation.results import NO_TEMPLATE
from codeio.training_run.scores import MEAN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codeio.training_run.status import Estimate, Score

_HEAD = ("", "n", "before %", "after %", "gain", "trivial %", "shared %")


def table(scores: Sequence[Score], report: Mapping[str, Any]) -> str:
    """Return scores with their intervals of 95 %, by category, and below what is to be known.

    `trivial` is the best score that needs no model; `shared` is the share of the
    questions that share 13 tokens in a row with the training data.
    """
    baselines = report.get("baselines", {})
    shared = (report.get("contamination") or {}).get("suites", {})
    lines = [list(_HEAD)]
    for score in scores:
        is_mean = score.suite == MEAN
        lines.append(
            [
                score.category if is_mean else f"  {score.suite}",
                f"{score.questions:,}",
                _share(score.before),
                _share(score.after),
                _share(score.gain, sign=True),
                "" if is_mean else _best(baselines.get(score.suite)),
                "" if is_mean else _percent(shared.get(score.suite, {}).get("share")),
            ]
        )
    kept = [
        place for place in range(len(_HEAD)) if place < 2 or any(line[place] for line in lines[1:])
    ]
    widths = {place: max(len(line[place]) for line in lines) for place in kept}
    text = [
        "  ".join(
            line[place].ljust(widths[place]) if place == 0 else line[place].rjust(widths[place])
            for place in kept
        ).rstrip()
        for line in lines
    ]
    return "\n".join([*text, *_notes(report)])


def shared_table(searched: Mapping[str, Any]) -> str:
    """Return which suites share text with training data, with an example, and what is not known."""
    if "not_measured" in searched:
        return f"the training data was not searched for text of suites: {searched['not_measured']}"
    lines = [f"13 tokens in a row shared with {searched['training_rows']:,} training rows:"]
    for name, each in searched["suites"].items():
        lines.append(
            f"  {name:16} {each['shared']:>6,} of {each['questions']:>6,} questions"
            f"  {_percent(each['share']):>5} %, {each['too_short']:,} too short to tell"
        )
        lines += [
            f"  {'':16} {example['question']}: {example['text']} ({example['row']})"
            for example in each["examples"][:1]
        ]
    lines += [f"  {name:16} not searched: {why}" for name, why in searched["not_searched"].items()]
    lines += [f"  {name:16} left out: {why}" for name, why in searched["left_out"].items()]
    return "\n".join(lines)


def _notes(report: Mapping[str, Any]) -> list[str]:
    names: dict[tuple[str, str], list[str]] = {}
    for name, reasons in report.get("not_measured", {}).items():
        for reason in dict.fromkeys(reasons.values()):
            stages = " and ".join(stage for stage, each in reasons.items() if each == reason)
            names.setdefault((stages, reason), []).append(name)
    notes = [
        f"not measured: {', '.join(each)} ({stages}): {reason}"
        for (stages, reason), each in names.items()
    ]
    if clusters := report.get("clusters"):
        fewer = ", ".join(f"{name} {count:,}" for name, count in clusters.items())
        notes.append(f"programs, passages or rules asked about, fewer than n: {fewer}")
    notes += [f"left out: {name}: {why}" for name, why in report.get("left_out", {}).items()]
    for name, counts in report.get("no_room", {}).items():
        number = " and ".join(f"{count:,} {stage}" for stage, count in counts.items())
        notes.append(
            f"wrong, as there was no room for an answer in the model's context: {name}: {number}"
        )
    forms: dict[str, list[str]] = {}
    for name, templates in report.get("templates", {}).items():
        form = " and ".join(f"{_form(each)} {stage}" for stage, each in templates.items())
        forms.setdefault(form, []).append(name)
    notes += [
        f"asked {form}, which the gain includes: {', '.join(names)}"
        for form, names in forms.items()
    ]
    return ["", *notes] if notes else []


def _form(template: str) -> str:
    if template == NO_TEMPLATE:
        return "without a chat template"
    return f"with the chat template {template}"


def _share(estimate: Estimate | None, *, sign: bool = False) -> str:
    if estimate is None:
        return ""
    value, low, high = (100 * each for each in (estimate.value, estimate.low, estimate.high))
    plus = "+" if sign else ""
    return f"{value:{plus}.1f} [{low:{plus}.1f}, {high:{plus}.1f}]"


def _best(baselines: Mapping[str, float] | None) -> str:
    return _percent(max(baselines.values())) if baselines else ""


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"
