"""Follows demands backwards through one trace.

A demand says which value a part of the program would have to have had. It is
followed from what is returned to the operations that made it, from a variable to the
statement that set it, from an argument to the call, until it reaches the input. Where
an operation has several operands, one is asked to change and the others stay as they
were in the run; so what is derived is a proposal that has to be executed, not a proof.
"""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import replace
from itertools import islice, product
from typing import TYPE_CHECKING, Any

from codeio.cot_generator.tracing import expression_rules, variable_rules
from codeio.cot_generator.tracing.derivation import (
    Derivation,
    Moment,
    Path,
    evaluated,
    identical,
    shown,
)
from codeio.cot_generator.tracing.expressions import Fact, Said
from codeio.cot_generator.tracing.operations import Impossible
from codeio.cot_generator.tracing.wording import code
from codeio.runtime.trace import ELISION, position
from codeio.v1.records_pb2 import Claim

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from codeio.cot_generator.tracing.story import Story
    from codeio.runtime.trace import Frame, Step

_MAX_SHOWN = 70
_MAX_SOURCE = 60
_MAX_REASONS = 6
_MAX_WAYS = 6
_MAX_COMBINATIONS = 3
# Longer ways back convince nobody, and rarely arrive.
_MAX_DEPTH = 16


class Inverter:
    """Derives inputs from one traced run."""

    def __init__(self, story: Story, *, fuel: int = 600) -> None:
        self.story = story
        self.trace = story.trace
        self._fuel = fuel
        self._depth = 0

    def from_output(self, target: Any) -> Iterator[Derivation]:
        """Derive what would make the run return the target."""
        yield from self.returned(self.trace.frames[0], (), target)

    def from_condition(self, test: ast.expr, step: Step, outcome: bool) -> Iterator[Derivation]:
        """Derive what would make a condition come out as it did not."""
        yield from expression_rules.truth(self, test, outcome, Moment(step))

    # What is known.

    def known(self, node: ast.expr, at: Moment) -> Any:
        """Return the value that an expression had.

        Raises:
            Impossible: it is not known in full.
        """
        for name, iterable, path in at.bound:
            if isinstance(node, ast.Name) and name == node.id:
                value = self.known(iterable, replace(at, bound=(), occurrence=0))
                try:
                    for key in path:
                        value = value[key]
                except (IndexError, KeyError, TypeError) as error:
                    raise Impossible from error
                return value
        return evaluated(self._text(node, at))

    def _text(self, node: ast.expr, at: Moment) -> str:
        if isinstance(node, ast.Constant):
            return repr(node.value)
        if isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant):
            return ast.unparse(node)
        text: str | None
        if isinstance(node, ast.Name):
            changed = self.trace.changed(node.id, frame=at.step.frame, before=at.step.index)
            if changed is None:
                text = self.trace.constants.get(node.id)
            else:
                text = self.trace.steps[changed].changes[node.id]
        else:
            texts = at.step.values.get(position(node), ())
            single = len(texts) == 1 or bool(at.bound)
            text = texts[at.occurrence] if single and at.occurrence < len(texts) else None
        if text is None or ELISION in text:
            raise Impossible
        return text

    def fact(self, node: ast.expr, at: Moment) -> Said:
        """Say what an operand was in the run; nothing where that is plain to see."""
        if isinstance(node, ast.Constant):
            return Said("")
        source = ast.unparse(node)
        if at.bound:
            text = repr(self.known(node, at))
            return Said(f"{code(source)} is {code(text)}") if len(text) <= _MAX_SHOWN else Said("")
        text = self._text(node, at)
        if source == text or len(text) > _MAX_SHOWN:
            return Said("")
        step = at.step
        if isinstance(node, ast.Name):
            changed = self.trace.changed(node.id, frame=step.frame, before=step.index)
            step = step if changed is None else self.trace.steps[changed]
        fact = Fact(Claim.KIND_VALUE, step.index, step.statement.line, source, text)
        return Said(f"{code(source)} is {code(text)}", (fact,))

    def has(self, node: ast.expr, path: Path, target: Any, at: Moment) -> bool:
        """Tell whether an expression had the value already."""
        try:
            value = self.known(node, at)
            for key in path:
                value = value[key]
        except (Impossible, KeyError, IndexError, TypeError):
            return False
        return identical(value, target)

    # Demands.

    def demand(self, node: ast.expr, path: Path, target: Any, at: Moment) -> Iterator[Derivation]:
        """Derive what would give an expression, or its part at a path, the target value."""
        self._fuel -= 1
        if self._fuel <= 0 or self._depth >= _MAX_DEPTH:
            return
        if self.has(node, path, target, at):
            yield Derivation((), ())
            return
        self._depth += 1
        try:
            if isinstance(node, ast.Name):
                yield from variable_rules.name(self, node, path, target, at)
            else:
                yield from expression_rules.expression(self, node, path, target, at)
        except Impossible:
            return
        finally:
            self._depth -= 1

    def then(
        self, node: ast.expr, path: Path, target: Any, at: Moment, facts: Sequence[Said] = ()
    ) -> Iterator[Derivation]:
        """Demand it of a part, and say so."""
        if isinstance(node, ast.Constant):
            return
        told = [fact for fact in facts if fact.text]
        given = f", as {' and '.join(fact.text for fact in told)} there" if told else ""
        said = Said(
            f"{code(ast.unparse(node))}{_place(path)} should be {shown(target)}{given}",
            tuple(fact for part in told for fact in part.facts),
        )
        for derivation in self.demand(node, path, target, at):
            yield replace(derivation, reasons=(said, *derivation.reasons))

    def all(self, demands: Sequence[tuple[ast.expr, Path, Any, Moment]]) -> Iterator[Derivation]:
        """Meet several demands at once.

        Of the ways to meet one, the one is taken that changes what the fewest other
        demands could change, as it leaves those alone.
        """
        open_demands = [demand for demand in demands if not self.has(*demand)]
        choices: list[list[Derivation]] = []
        for node, path, target, at in open_demands:
            ways = list(islice(self.then(node, path, target, at), _MAX_WAYS))
            if not ways:
                return
            choices.append(ways)
        shared = Counter(
            place for ways in choices for place in {p for w in ways for p in _places(w)}
        )
        for ways in choices:
            ways.sort(key=lambda way: sum(shared[place] for place in _places(way)))
        for chosen in islice(product(*choices), _MAX_COMBINATIONS):
            reasons: list[Said] = []
            for way in chosen:
                if len(reasons) < _MAX_REASONS:
                    reasons += way.reasons
                elif reasons[-1] != _LIKEWISE:
                    reasons.append(_LIKEWISE)
            yield Derivation(tuple(edit for way in chosen for edit in way.edits), tuple(reasons))

    def returned(self, frame: Frame, path: Path, target: Any) -> Iterator[Derivation]:
        """Demand what a call returned of the expression that it returned."""
        step = self.trace.steps[frame.last]
        statement = self.story.source.statements.get(step.statement)
        if not isinstance(statement, ast.Return) or statement.value is None:
            return
        source = ast.unparse(statement.value)
        what = code(source) if len(source) <= _MAX_SOURCE else "the returned expression"
        said = Said(
            f"{code(frame.function)} returned {what}{_place(path)} there, "
            f"which must be {shown(target)}"
        )
        for derivation in self.demand(statement.value, path, target, Moment(step)):
            yield replace(derivation, reasons=(said, *derivation.reasons))


def _places(way: Derivation) -> set[str]:
    return {repr(edit.path) for edit in way.edits}


_LIKEWISE = Said("The other parts follow in the same way")


def _place(path: Path) -> str:
    return f" at {code(''.join(f'[{key!r}]' for key in path))}" if path else ""
