"""Which input a stretch of text is about, where several are tried.

The rationale of an input prediction may try one input after another. What is said after an
input is named holds of the run on it; where that run is not known, only arithmetic counts.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from codeio.runtime import values
from codeio.verifier.statements.stated import alike

if TYPE_CHECKING:
    from collections.abc import Sequence, Set

    from codeio.verifier.statements.items import Item
    from codeio.verifier.statements.run import Run

MAX_CANDIDATES = 3
"""Inputs of a text that are run besides the predicted one."""
_MAX_INPUT = 4000


def named_inputs(text: str, names: Set[str], *, besides: str) -> list[str]:
    """Return other inputs that a text names as JSON objects, a few of them."""
    found: dict[str, None] = {}
    decoder = json.JSONDecoder()
    at = text.find('{"')
    tries = 0
    while at >= 0 and len(found) < MAX_CANDIDATES and tries < 200:
        tries += 1
        end = at + 1
        try:
            value, length = decoder.raw_decode(text[at : at + _MAX_INPUT])
            if isinstance(value, dict) and value.keys() == names and names:
                end = at + length
                if not values.equal(value, values.loads(besides)):
                    found[values.dumps(value)] = None
        except (ValueError, RecursionError):
            pass
        at = text.find('{"', end)
    return list(found)


class Candidates:
    """Follows which run a text is about; of an output prediction it is always the same."""

    def __init__(self, runs: Sequence[Run], *, several: bool) -> None:
        self._runs = list(runs)
        self._several = several and bool(runs)
        self._arguments = [run.arguments for run in runs]
        self._current: list[Run] = self._runs[:1]
        self._aside = False

    def line(self) -> list[Run]:
        """Return the run that a new line goes on with."""
        self._aside = False
        return self._current

    def sentence(self, items: Sequence[Item]) -> list[Run]:
        """Return the runs that a sentence is about, as far as they are known."""
        if not self._several:
            return self._current
        for place, item in enumerate(items):
            if self.is_input(item):
                self._aside = False
                self._current = [
                    run
                    for run, arguments in zip(self._runs, self._arguments, strict=True)
                    if alike(item.value, arguments)
                ]
            elif self._is_other(items, place):
                self._aside = True
        return [] if self._aside else self._current

    def is_input(self, item: Item) -> bool:
        """Tell whether an expression is an input of the program, with all its arguments."""
        given: Any = item.value if item.plain else None
        return (
            bool(self._runs)
            and isinstance(given, dict)
            and bool(given)
            and (given.keys() == self._arguments[0].keys())
        )

    def _is_other(self, items: Sequence[Item], place: int) -> bool:
        """Tell whether `n = 185` names an argument that the predicted input does not have."""
        name = items[place].name
        arguments = self._arguments[0]
        if name not in arguments or place + 2 >= len(items) or items[place + 1].text != "=":
            return False
        value = items[place + 2]
        changes = any(name in step.changes for step in self._runs[0].trace.steps[1:])
        return value.plain and not changes and not alike(value.value, arguments[name])
