"""The geometry of the page's plots; the template draws it as inline SVG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codeio.report.figures import Spread


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar of a plot: its share of the longest, from 0 to 1, and what stands beside it."""

    label: str
    text: str
    share: float
    title: str
    """The whole story, shown when pointed at."""
    aside: str = ""
    """What stands after the text, less loud."""


@dataclass(frozen=True, kw_only=True)
class Funnel:
    """What of one kind of thing came through, step by step."""

    name: str
    bars: tuple[Bar, ...]


def funnel(name: str, steps: Sequence[tuple[str, int]]) -> Funnel:
    """Return bars against the first step."""
    first = steps[0][1]
    bars = []
    for label, count in steps:
        share = count / first if first else 0.0
        percent = f"{share:.1%}" if share < 1 else "100%"
        bars.append(
            Bar(
                label=label,
                text=f"{count:,}",
                share=min(share, 1.0),
                title=f"{label}: {count:,}, {percent} of {steps[0][0]}",
                aside=percent if label != steps[0][0] else "",
            )
        )
    return Funnel(name=name, bars=tuple(bars))


def ranking(values: Mapping[str, float], *, unit: str) -> tuple[Bar, ...]:
    """Return bars against the largest value, in the given order."""
    largest = max(values.values(), default=0) or 1
    total = sum(values.values()) or 1
    return tuple(
        Bar(
            label=label,
            text=f"{value:,.1f}{unit}",
            share=value / largest,
            title=f"{label}: {value:,.1f}{unit}, {value / total:.1%} of all",
            aside=f"{value / total:.1%}",
        )
        for label, value in values.items()
    )


def columns(spread: Spread, *, noun: str, most: int = 16) -> tuple[Bar, ...]:
    """Return a histogram of whole numbers, one column for each up to the largest.

    Where there would be more columns than `most`, the last one holds the rest.
    """
    if not spread.counts:
        return ()
    low, high = min(spread.counts), max(spread.counts)
    last = min(high, low + most - 1)
    heights = {
        value: spread.counts.get(value, 0)
        if value < last
        else sum(count for other, count in spread.counts.items() if other >= last)
        for value in range(low, last + 1)
    }
    tallest = max(heights.values())
    return tuple(
        Bar(
            label=f"{value}+" if value == last < high else f"{value}",
            text=f"{count:,}" if count else "",
            share=count / tallest,
            title=f"{count:,} {noun} with {value}{' or more' if value == last < high else ''}",
        )
        for value, count in heights.items()
    )


def octaves(spread: Spread, *, noun: str, unit: str) -> tuple[Bar, ...]:
    """Return a histogram whose columns each reach twice as far as the one before."""
    if not spread.counts:
        return ()
    heights: dict[int, int] = {}
    for value, count in spread.counts.items():
        heights[max(value, 1).bit_length()] = heights.get(max(value, 1).bit_length(), 0) + count
    tallest = max(heights.values())
    bars = []
    for power in range(min(heights), max(heights) + 1):
        count = heights.get(power, 0)
        low, high = 1 << (power - 1), 1 << power
        bars.append(
            Bar(
                label=_short(low),
                text=f"{count:,}" if count else "",
                share=count / tallest,
                title=f"{count:,} {noun} of {low:,} to {high - 1:,} {unit}",
            )
        )
    return tuple(bars)


def _short(number: int) -> str:
    return f"{number // 1024}K" if number >= 1024 else f"{number}"
