"""What one executed statement becomes in words."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from codeio.cot_generator.tracing.expressions import Reading, Said, join
from codeio.cot_generator.tracing.wording import code, listed
from codeio.v1.records_pb2 import Claim

if TYPE_CHECKING:
    from codeio.cot_generator.tracing.story import Act, Story
    from codeio.cot_generator.tracing.wording import Voice
    from codeio.runtime.trace import Frame, Step

Kind: TypeAlias = Literal["set", "act", "holds", "fails", "return", "leave"]

_SILENT = (
    ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom
    | ast.Global | ast.Nonlocal | ast.Pass | ast.Try | ast.With | ast.AsyncWith
)  # fmt: skip


@dataclass(frozen=True)
class Clause:
    """Part of a sentence: no capital, no full stop."""

    kind: Kind
    said: Said


class Clauses:
    """Turns statements into clauses."""

    def __init__(self, story: Story, *, voice: Voice, width: int, staged: bool) -> None:
        self.story = story
        self.voice = voice
        self.width = width
        self.staged = staged

        self._clauses: dict[int, Clause | None] = {}

    def reading(self, step: Step) -> Reading:
        return Reading(self.story.trace, step, width=self.width, staged=self.staged)

    def clause(self, act: Act, frame: Frame) -> Clause | None:
        """Return what the statement did; None where there is nothing to tell."""
        if act.step.index not in self._clauses:
            self._clauses[act.step.index] = self._clause(act, frame)
        return self._clauses[act.step.index]

    def _clause(  # noqa: C901, PLR0912  (one case per kind of statement)
        self, act: Act, frame: Frame
    ) -> Clause | None:
        node = act.node
        if act.step.raised and not isinstance(node, ast.Raise):
            source = ast.unparse(node).splitlines()[0]
            return Clause("act", Said(f"{code(source)} raises `{act.step.raised}`"))
        if isinstance(node, _SILENT):
            return None
        reading = self.reading(act.step)
        match node:
            case ast.Assign(targets=[target]):
                return self._assign(reading, target, node.value)
            case ast.Assign():
                return self._changes(reading, node)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                return self._assign(reading, target, value)
            case ast.AugAssign():
                return self._augmented(reading, node)
            case ast.Expr(value=ast.Yield(value=ast.expr() as value)):
                yielded = reading.chain(value)
                return Clause("act", Said(f"yield {code(yielded.text)}", yielded.facts))
            case ast.Expr():
                return self._expression(reading, node)
            case ast.If():
                return self._condition(reading, node)
            case ast.Return():
                return self._return(reading, node, frame)
            case ast.Break():
                return Clause(
                    "leave", Said(self.voice.pick("leave the loop", "break out of the loop"))
                )
            case ast.Continue():
                return Clause(
                    "leave", Said(self.voice.pick("go on with the next round", "continue"))
                )
            case ast.Raise():
                return Clause("act", Said(f"raise `{act.step.raised or 'an exception'}`"))
            case ast.ExceptHandler():
                kind = ast.unparse(node.type) if node.type else "the exception"
                return Clause("act", Said(f"{code(kind)} is caught"))
            case ast.Assert():
                return Clause("act", Said(f"the assertion {code(ast.unparse(node.test))} holds"))
            case _:
                return self._changes(reading, node)

    def _assign(self, reading: Reading, target: ast.expr, value: ast.expr) -> Clause | None:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            return self._several(reading, target, value)
        if isinstance(target, ast.Name):
            return Clause("set", self._named(reading, target.id, value))
        if isinstance(target, ast.Tuple | ast.List):
            return self._unpacked(reading, target, value)
        left = reading.substituted(target)
        right = reading.chain(value)
        told = join([Said(code(f"{left.text} = {right.text}"), left.facts + right.facts)], "")
        return Clause("act", self._with_state(reading, target, told))

    def _named(self, reading: Reading, name: str, value: ast.expr) -> Said:
        chain = reading.chain(value)
        after = reading.step.changes.get(name)
        facts = chain.facts
        if reading.shown(after) and after is not None:
            facts += (reading.fact(Claim.KIND_VALUE, name, after),)
            if not chain.text.endswith(f" = {after}") and chain.text != after:
                # The value has no text of its own, as with objects; the variable has.
                return Said(code(f"{name} = {chain.text} = {after}"), facts)
        return Said(code(f"{name} = {chain.text}"), facts)

    def _several(self, reading: Reading, target: ast.Tuple, value: ast.Tuple) -> Clause:
        if len(target.elts) != len(value.elts) or any(
            isinstance(part, ast.Starred) for part in (*target.elts, *value.elts)
        ):
            return self._unpacked(reading, target, value)
        names = [ast.unparse(part) for part in target.elts]
        if sorted(names) == sorted(ast.unparse(part) for part in value.elts):
            said = Said(f"swap {listed([code(name) for name in names])}")
            return Clause("act", self._with_state(reading, target, said))
        parts = []
        for one, from_ in zip(target.elts, value.elts, strict=True):
            left = reading.substituted(one) if not isinstance(one, ast.Name) else Said(one.id)
            right = reading.chain(from_)
            parts.append(Said(code(f"{left.text} = {right.text}"), left.facts + right.facts))
        return Clause("set", join(parts, ", "))

    def _unpacked(self, reading: Reading, target: ast.expr, value: ast.expr) -> Clause:
        names = [part.id for part in ast.walk(target) if isinstance(part, ast.Name)]
        parts = [self._variable(reading, name) for name in names]
        known = [part for part in parts if part is not None]
        source = reading.chain(value)
        if not known:
            return Clause("act", Said(f"unpack {code(source.text)}", source.facts))
        return Clause(
            "act",
            join([Said(f"unpack {code(source.text)} into ", source.facts), join(known, ", ")], ""),
        )

    def _variable(self, reading: Reading, name: str) -> Said | None:
        text = reading.step.changes.get(name)
        at = reading.step
        if text is None:
            text = reading.trace.variable(name, frame=at.frame, after=at.index)
            changed = reading.trace.changed(name, frame=at.frame, before=at.index + 1)
            if changed is not None:
                at = reading.trace.steps[changed]
        if text is None or not reading.shown(text):
            return None
        return Said(
            code(f"{name} = {text}"), (reading.fact(Claim.KIND_VALUE, name, text, step=at),)
        )

    def _with_state(self, reading: Reading, target: ast.expr, said: Said) -> Said:
        """Add what the changed container looks like now, where that is short."""
        names = list(
            dict.fromkeys(part.id for part in ast.walk(target) if isinstance(part, ast.Name))
        )
        states = [
            state
            for name in names
            if name in reading.step.changes and (state := self._variable(reading, name)) is not None
        ]
        if not states:
            return said
        return join(
            [said, join(states, " and ")], self.voice.pick(", giving ", ", which makes ", " → ")
        )

    def _augmented(self, reading: Reading, node: ast.AugAssign) -> Clause | None:
        symbol = _SYMBOLS[type(node.op)]
        right = reading.put(node.value)
        if not isinstance(node.target, ast.Name):
            left = reading.substituted(node.target)
            said = Said(code(f"{left.text} {symbol}= {right.text}"), left.facts + right.facts)
            return Clause("act", self._with_state(reading, node.target, said))
        name = node.target.id
        before = reading.told(ast.Name(id=name, ctx=ast.Load()))
        after = self._variable(reading, name)
        if before is None or after is None:
            return self._changes(reading, node)
        forms = [right, *reading.stages(node.value)[1:2]]
        value = reading.told(node.value)
        forms += [] if value is None else [value]
        texts = dict.fromkeys(
            f"{before.text} {symbol} {_operand(form.text, node.value)}"
            for form in forms
            if len(form.text) <= _STAGE_WIDTH
        )
        result = after.text.strip("`").removeprefix(f"{name} = ")
        facts = before.facts + after.facts
        facts += tuple(fact for form in forms for fact in form.facts)
        return Clause("set", Said(code(" = ".join([name, *texts, result])), facts))

    def _expression(self, reading: Reading, node: ast.Expr) -> Clause | None:
        call = node.value
        if not isinstance(call, ast.Call):
            return None if isinstance(call, ast.Constant) else self._changes(reading, node)
        if isinstance(call.func, ast.Name) and call.func.id == "print":
            return None
        said = reading.substituted(call)
        return Clause("act", self._with_state(reading, call, Said(code(said.text), said.facts)))

    def _changes(self, reading: Reading, node: ast.AST) -> Clause | None:
        """Tell a statement by its text and by what it changed."""
        source = ast.unparse(node).splitlines()[0]
        states = [
            said
            for name in reading.step.changes
            if (said := self._variable(reading, name)) is not None
        ]
        if not states:
            return Clause("act", Said(code(source)))
        return Clause("act", join([Said(code(source)), join(states, ", ")], ", giving "))

    def _condition(self, reading: Reading, node: ast.If) -> Clause | None:
        outcome = reading.outcome(node.test)
        if outcome is None:
            return None
        return Clause("holds" if outcome else "fails", self.condition(reading, node.test, outcome))

    def condition(self, reading: Reading, test: ast.expr, outcome: bool) -> Said:
        """Return a condition with its values: `x > 2` (`3 > 2`); a false one with its verb."""
        fact = reading.fact(Claim.KIND_BRANCH, ast.unparse(test), str(outcome))
        parts = self._decisive(reading, test) or [self._plain_condition(reading, test)]
        if outcome:
            said = join(parts, " and ")
        elif len(parts) == 1:
            said = Said(f"{parts[0].text} is false", parts[0].facts)
        else:
            told = join(parts, " nor ")
            said = Said(f"neither {told.text} holds", told.facts)
        return Said(said.text, (*said.facts, fact))

    def _plain_condition(self, reading: Reading, test: ast.expr) -> Said:
        source = ast.unparse(test)
        if isinstance(test, ast.Name):
            told = reading.told(test)
            if told is None or told.text in ("True", "False"):
                return Said(code(source), () if told is None else told.facts)
            return Said(f"{code(source)} ({code(told.text)})", told.facts)
        stages = reading.stages(test) if reading.staged else [reading.substituted(test)]
        stages = [stage for stage in stages if len(stage.text) <= _STAGE_WIDTH]
        texts = list(dict.fromkeys(stage.text for stage in stages if stage.text != source))[-2:]
        facts = tuple(fact for stage in stages if stage.text in texts for fact in stage.facts)
        if not texts:
            return Said(code(source))
        return Said(f"{code(source)} ({', i.e. '.join(map(code, texts))})", facts)

    def _decisive(self, reading: Reading, test: ast.expr) -> list[Said] | None:
        """Return the operands that settle a condition of several."""
        if not isinstance(test, ast.BoolOp):
            return None
        stopping = isinstance(test.op, ast.Or)
        parts: list[Said] = []
        for operand in test.values:
            text = reading.value(operand)
            if text is None:
                return None
            if (text not in _FALSE) is stopping:
                return [self._plain_condition(reading, operand)]
            parts.append(self._plain_condition(reading, operand))
        return parts

    def _return(self, reading: Reading, node: ast.Return, frame: Frame) -> Clause:
        if node.value is None:
            return Clause("return", Said("return"))
        chain = reading.chain(node.value, limit=100)
        facts = chain.facts
        if (
            frame.returned is not None
            and reading.shown(frame.returned)
            and frame.last == reading.step.index
        ):
            facts += (reading.fact(Claim.KIND_RETURN, frame.function, frame.returned),)
        return Clause("return", Said(f"return {code(chain.text)}", facts))


_STAGE_WIDTH = 90

_FALSE = frozenset({"False", "0", "0.0", "None", "''", "[]", "{}", "()", "set()", "deque([])"})

_SYMBOLS: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
    ast.Pow: "**", ast.LShift: "<<", ast.RShift: ">>", ast.BitOr: "|", ast.BitXor: "^",
    ast.BitAnd: "&", ast.MatMult: "@",
}  # fmt: skip


def _operand(text: str, node: ast.expr) -> str:
    compound = isinstance(node, ast.BinOp | ast.BoolOp | ast.Compare | ast.IfExp | ast.UnaryOp)
    bare = text.lstrip("-").replace(".", "", 1).isalnum()
    if text.startswith("-") or (compound and not bare):
        return f"({text})"
    return text
