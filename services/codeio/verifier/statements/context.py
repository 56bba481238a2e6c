"""What the readers of a text share: the runs it is about, the moment, and what was found."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from codeio.verifier.statements.judging import Kind, Statement, Support, Window, judge
from codeio.verifier.statements.sentences import takes_back

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.verifier.statements.items import Item
    from codeio.verifier.statements.run import Run
    from codeio.verifier.statements.stated import Stated


@dataclass
class Context:
    """Collects the statements of one text."""

    text: str
    runs: Sequence[Run]
    """The runs that the text may be about; the first is the task's own."""
    window: Window | None = None
    found: list[Statement] = field(default_factory=list)
    exact_lines: frozenset[str] = frozenset()

    def value(
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
        self.add(kind, span, ast.unparse(subject), said.text, support)
        return support

    def add(
        self, kind: Kind, span: tuple[Item, Item], subject: str, stated: str, support: Support
    ) -> None:
        self.add_at(kind, span[0].start, span[1].end, subject, stated, support)

    def add_at(
        self, kind: Kind, start: int, end: int, subject: str, stated: str, support: Support
    ) -> None:
        text = self.text[start:end]
        corrected = takes_back(self.text, end)
        self.found.append(
            Statement(start, end, text, kind, subject, stated, support, corrected=corrected)
        )

    def keyed(self, key: str) -> list[Any]:
        """Return what stands under a key in the outputs."""
        return [
            run.output[key]
            for run in self.runs
            if isinstance(run.output, dict) and key in run.output
        ]


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
    if value is None:
        return Support.UNKNOWN
    return Support.SUPPORTED if value else Support.CONTRADICTED
