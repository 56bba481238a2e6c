"""What the readers of a text share: the runs it is about, the moment, and what was found."""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from codeio.verifier.statements.judging import Kind, Statement, Support, Window, judge, support_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.verifier.statements.items import Item
    from codeio.verifier.statements.occurrences import Occurrences
    from codeio.verifier.statements.run import Run
    from codeio.verifier.statements.stated import Stated


@dataclass
class Context:
    """Collects the statements of one text."""

    text: str
    runs: Sequence[Run]
    """The runs that the text may be about; the first is the task's own."""
    window: Window | None = None
    occurrences: Occurrences | None = None
    """The values of the run, where it is a single one."""
    inputs: frozenset[str] = frozenset()
    """The names of the program's parameters."""
    final: bool = False
    """Whether the line is one of the last, where results are told."""
    found: list[Statement] = field(default_factory=list)
    _groups: dict[int, tuple[str, bool]] = field(default_factory=dict)
    """For statements judged at a moment: its group, and whether only the moment is wrong."""

    def value(  # noqa: PLR0913
        self,
        span: tuple[Item, Item],
        subject: ast.expr,
        said: Stated,
        *,
        kind: Kind = "value",
        always: bool = False,
        last: bool = False,
    ) -> Support:
        """Judge what is said of an expression in the runs, and note it."""
        supports = [
            judge(run, subject, said, window=self.window, always=always, last=last)
            for run in self.runs
        ]
        support = combined(supports)
        if self.window is not None:
            sometime = combined(
                [judge(run, subject, said, always=always, last=last) for run in self.runs]
            )
            only_moment = support is Support.CONTRADICTED is not sometime
            self._groups[len(self.found)] = (self.window.group, only_moment)
        text = f"not {said.text}" if said.negated else said.text
        self.add(kind, span, ast.unparse(subject), text, support)
        return support

    def is_foreign(self, item: Item) -> bool:
        """Tell whether a number in an expression occurs nowhere in the run."""
        parts = ast.walk(item.node) if item.node is not None else ()
        numbers = [p.value for p in parts if isinstance(p, ast.Constant)]
        return self.occurrences is not None and any(
            isinstance(number, int | float)
            and not isinstance(number, bool)
            and self.occurrences.lacks(number, repr(number))
            for number in numbers
        )

    def settled(self) -> list[Statement]:
        """Return what was found; where the moments do not fit, they were misread."""
        right: Counter[str] = Counter()
        wrong: Counter[str] = Counter()
        for place, (group, only_moment) in self._groups.items():
            wrong[group] += only_moment
            right[group] += self.found[place].support is Support.SUPPORTED
        return [
            replace(one, support=Support.UNKNOWN)
            if place in self._groups
            and self._groups[place][1]
            and wrong[self._groups[place][0]] > max(2, right[self._groups[place][0]] // 2)
            else one
            for place, one in enumerate(self.found)
        ]

    def add(
        self, kind: Kind, span: tuple[Item, Item], subject: str, stated: str, support: Support
    ) -> None:
        self.add_at(kind, span[0].start, span[1].end, subject, stated, support)

    def add_at(  # noqa: PLR0913, PLR0917
        self, kind: Kind, start: int, end: int, subject: str, stated: str, support: Support
    ) -> None:
        text = self.text[start:end]
        self.found.append(Statement(start, end, text, kind, subject, stated, support))


def combined(supports: Sequence[Support]) -> Support:
    """Return what several runs say together: only what all contradict is contradicted."""
    if not supports:
        return Support.UNKNOWN
    if Support.SUPPORTED in supports:
        return Support.SUPPORTED
    if all(support is Support.CONTRADICTED for support in supports):
        return Support.CONTRADICTED
    return Support.UNKNOWN


def arithmetic(value: bool | None) -> Support:
    return support_of([value], complete=True)
