"""What the readers of a text share: the runs it is about, the moment, and what was found."""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from codeio.verifier.statements.evaluation import OPAQUE, literal_of
from codeio.verifier.statements.judging import Kind, Statement, Support, Window, judge, support_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.verifier.statements.items import Item
    from codeio.verifier.statements.run import Run
    from codeio.verifier.statements.stated import Stated


_RECENT = 160
"""Characters within which a value that was told counts as the present one."""


@dataclass
class Context:
    """Collects the statements of one text."""

    text: str
    runs: Sequence[Run]
    """The runs that the text may be about; the first is the task's own."""
    window: Window | None = None
    subject: Item | None = None
    """The variable that the text spoke of last."""
    condition: ast.expr | None = None
    """The condition of the program that the line named last."""
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
            self.at_moment(only_moment=support is Support.CONTRADICTED is not sometime)
        text = f"not {said.text}" if said.negated else said.text
        self.add(kind, span, ast.unparse(subject), text, support)
        return support

    def at_moment(self, *, only_moment: bool) -> None:
        """Note that what is found next is judged at the moment of its line."""
        if self.window is not None:
            self._groups[len(self.found)] = (self.window.group, only_moment)

    def told(self, name: str, *, before: int) -> Any:
        """Return the value that the text gave a variable shortly before a place, rightly."""
        for one in reversed(self.found):
            if one.end < before - 2 * _RECENT:
                break
            if one.subject == name and before - _RECENT <= one.start < before:
                if one.support is not Support.SUPPORTED or one.kind != "value":
                    return OPAQUE
                return literal_of(one.stated)
        return OPAQUE

    def doubt(self) -> None:
        """Take back a contradiction that was noted last: the subject is not certain."""
        if self.found and self.found[-1].support is Support.CONTRADICTED:
            self.found[-1] = replace(self.found[-1], support=Support.UNKNOWN)

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
