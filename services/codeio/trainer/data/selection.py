"""Selects the rows of a snapshot that a stage trains on."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from codeio.training_run.training_data import Selection


class _Condition(NamedTuple):
    name: str
    columns: tuple[str, ...]
    holds: Callable[[Mapping[str, Any]], bool]


class Selector:
    """Judges rows, and counts what each condition alone leaves out."""

    def __init__(self, selection: Selection | None) -> None:
        self._conditions = _conditions(selection) if selection else []
        self.rows = 0
        self.selected = 0
        self._left_out: Counter[str] = Counter()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it looks at."""
        return tuple(dict.fromkeys(column for each in self._conditions for column in each.columns))

    def takes(self, values: Mapping[str, Any]) -> bool:
        """Whether all conditions hold.

        Raises:
            ValueError: a column is missing, or holds what cannot be compared.
        """
        self.rows += 1
        taken = True
        for condition in self._conditions:
            try:
                holds = condition.holds(values)
            except (KeyError, TypeError, ValueError) as error:
                shown = ", ".join(condition.columns)
                raise ValueError(f"{shown} cannot be compared with {condition.name}") from error
            if not holds:
                taken = False
                self._left_out[condition.name] += 1
        self.selected += taken
        return taken

    @property
    def strictest(self) -> str:
        """The condition that left out most, and how many rows that were."""
        name, number = self._left_out.most_common(1)[0]
        return f"{name} leaves out {number:,}"


def _conditions(select: Selection) -> list[_Condition]:
    verdicts = {f"VERDICT_{verdict.upper()}" for verdict in select.verdicts}
    made = [
        _Condition(
            f"verdicts [{', '.join(select.verdicts)}]",
            ("verdict",),
            lambda row: row["verdict"] in verdicts,
        )
    ]
    if select.direction != "Both":
        direction = f"DIRECTION_{select.direction.upper()}_PREDICTION"
        made.append(
            _Condition(
                f"direction {select.direction}",
                ("direction",),
                lambda row: bool(row["direction"] == direction),
            )
        )
    if select.statements != "Any":
        least = 1 if select.statements == "Supported" else 0
        made.append(
            _Condition(
                f"statements {select.statements}",
                ("contradicted", "supported"),
                lambda row: row["contradicted"] == 0 and row["supported"] >= least,
            )
        )
    if (band := select.pass_rate) is not None:
        made.append(
            _Condition(
                f"passRate {band.min:g} to {band.max:g}",
                ("pass_rate",),
                lambda row: bool(band.min <= row["pass_rate"] <= band.max),
            )
        )
    made += [_least_score(name, least) for name, least in sorted(select.min_scores.items())]
    if (turns := select.max_turns) is not None:
        made.append(
            _Condition(f"maxTurns {turns}", ("turns",), lambda row: bool(row["turns"] <= turns))
        )
    return made


def _least_score(name: str, least: float) -> _Condition:
    """Return the condition on a score; a program that was not given it has not reached it."""

    def holds(row: Mapping[str, Any]) -> bool:
        score = json.loads(row["scores"]).get(name)
        return score is not None and score >= least

    return _Condition(f"minScores {name} {least:g}", ("scores",), holds)
