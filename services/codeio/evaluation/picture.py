"""The scores as a picture: before and after by suite, with their intervals."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from codeio.training_run.scores import MEAN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from codeio.training_run.status import Estimate, Score

_BEFORE, _AFTER, _TRIVIAL = "#8a94a6", "#1f5fbf", "#c2410c"
_ROW_INCHES = 0.42
_NAME_LENGTH = 60
_COMMIT = re.compile(r"(@[0-9a-f]{8})[0-9a-f]{32}$")


def draw(
    scores: Sequence[Score],
    path: Path,
    *,
    title: str,
    models: Mapping[str, str | None],
    baselines: Mapping[str, Any],
) -> None:
    """Write the picture, as SVG or PNG by the ending of `path`.

    `models` are the folders, or names at the hub, of before and after.
    """
    import matplotlib as mpl  # noqa: PLC0415  (slow)
    from matplotlib.figure import Figure  # noqa: PLC0415

    rows = _rows(scores)
    with mpl.rc_context({"svg.hashsalt": "codeio", "svg.fonttype": "none", "font.size": 10}):
        figure = Figure(figsize=(8.4, 1.9 + _ROW_INCHES * len(rows)), layout="constrained")
        axes = figure.add_subplot()
        labels = []
        for place, (label, score) in enumerate(rows):
            labels.append(label)
            if score is None:
                continue
            _mark(axes, place - 0.13, score.before, _BEFORE, "o")
            _mark(axes, place + 0.13, score.after, _AFTER, "D")
            best = max(baselines.get(score.suite, {}).values(), default=None)
            if best is not None:
                axes.plot([100 * best] * 2, [place - 0.3, place + 0.3], color=_TRIVIAL, lw=1.6)
            if score.gain is not None:
                axes.annotate(
                    _gain(score.gain),
                    (1.01, place),
                    xycoords=("axes fraction", "data"),
                    va="center",
                    fontsize=9,
                    annotation_clip=False,
                    fontweight="bold" if score.suite == MEAN else "normal",
                )
        if any(score is not None and score.gain is not None for _, score in rows):
            axes.annotate(
                "gain [95 %]",
                (1.01, -0.9),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=9,
                annotation_clip=False,
            )
        _frame(axes, rows, labels, title, models)
        metadata = {"Date": None} if path.suffix == ".svg" else {}
        figure.savefig(path, metadata=metadata, dpi=110)


def _rows(scores: Sequence[Score]) -> list[tuple[str, Score | None]]:
    """Return a line for each suite, below a line for its category."""
    alone = {
        category
        for category in {score.category for score in scores}
        if sum(score.category == category for score in scores) == 2
    }
    rows: list[tuple[str, Score | None]] = []
    for score in scores:
        if score.suite == MEAN:
            if score.category not in alone:
                rows.append((score.category, score))
        else:
            rows.append((score.suite, score))
    return rows


def _mark(axes: Any, place: float, estimate: Estimate | None, colour: str, marker: str) -> None:
    if estimate is None:
        return
    value = 100 * estimate.value
    axes.errorbar(
        [value],
        [place],
        # By rounding a bound may lie a hair inside.
        xerr=[
            [max(0.0, value - 100 * estimate.low)],
            [max(0.0, 100 * estimate.high - value)],
        ],
        fmt=marker,
        color=colour,
        markersize=5,
        capsize=2.5,
        lw=1.4,
        clip_on=False,
        zorder=3,
    )


def _frame(
    axes: Any,
    rows: Sequence[tuple[str, Score | None]],
    labels: list[str],
    title: str,
    models: Mapping[str, str | None],
) -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415

    axes.set_yticks(range(len(rows)), labels)
    for tick, (_, score) in zip(axes.get_yticklabels(), rows, strict=True):
        if score is not None and score.suite == MEAN:
            tick.set_fontweight("bold")
    for place, (_, score) in enumerate(rows):
        if score is not None and score.suite == MEAN:
            axes.axhspan(place - 0.5, place + 0.5, color="#eef1f6", zorder=0, lw=0)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    axes.set_xlabel("score, %, with its interval of 95 %")
    axes.grid(axis="x", color="#dde2ea", lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    seen = [score for _, score in rows if score is not None]
    handles = [
        Line2D([], [], color=colour, marker=marker, lw=0, markersize=5, label=_named(stage, models))
        for stage, colour, marker, there in (
            ("before", _BEFORE, "o", any(score.before for score in seen)),
            ("after", _AFTER, "D", any(score.after for score in seen)),
        )
        if there
    ]
    handles.append(Line2D([], [], color=_TRIVIAL, lw=1.6, label="needs no model"))
    axes.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        borderaxespad=0.4,
        labelspacing=0.2,
        frameon=False,
    )
    axes.set_title(title, loc="left", pad=10 + 15 * len(handles), fontweight="bold")


def _named(stage: str, models: Mapping[str, str | None]) -> str:
    """Return what the legend calls a model: the end of its path, which tells it from others."""
    model = models.get(stage)
    if model is None:
        return stage
    name = _COMMIT.sub(r"\1", "/".join(PurePath(model).parts[-3:]))
    return f"{stage}: {name if len(name) <= _NAME_LENGTH else '…' + name[1 - _NAME_LENGTH :]}"


def _gain(estimate: Estimate) -> str:
    value, low, high = (100 * each for each in (estimate.value, estimate.low, estimate.high))
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"
