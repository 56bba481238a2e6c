"""What one executed statement becomes in words."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from codeio.cot_generator.tracing.expressions import Reading, Said, join
from codeio.cot_generator.tracing.wording import code, listed
from codeio.runtime.trace import position
from codeio.v1.records_pb2 import Claim

if TYPE_CHECKING:
    from codeio.cot_generator.tracing.story import Act, Story
    from codeio.cot_generator.tracing.wording import Voice
    from codeio.runtime.trace import Frame

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

    def __init__(self, story: Story, *, input_json: str, voice: Voice, width: int) -> None:
        self.story = story
        self.input_json = input_json
        self.voice = voice
        self.width = width

    def reading(self, act: Act) -> Reading:
        return Reading(self.story.trace, act.step, input_json=self.input_json, width=self.width)

    def clause(self, act: Act, frame: Frame) -> Clause | None:
        """Return what the statement did; None where there is nothing to tell."""
        node = act.node
        if act.step.raised and not isinstance(node, ast.Raise):
            source = ast.unparse(node).splitlines()[0]
            return Clause("act", Said(f"{code(source)} raises `{act.step.raised}`"))
        if isinstance(node, _SILENT):
            return None
        reading = self.reading(act)
        match node:
            case ast.Assign(targets=[target]):
                return self._assign(reading, target, node.value)
            case ast.Assign():
                return self._changes(reading, node)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                return self._assign(reading, target, value)
            case ast.AugAssign():
                return self._augmented(reading, node)
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
        told = join([Said(code(f"{left.text} = {right.text}"), left.claims + right.claims)], "")
        return Clause("act", self._with_state(reading, target, told))

    def _named(self, reading: Reading, name: str, value: ast.expr) -> Said:
        chain = reading.chain(value)
        after = reading.step.changes.get(name)
        claims = chain.claims
        if reading.shown(after) and after is not None:
            claims += (reading.claim(Claim.KIND_VALUE, name, after),)
            if not chain.text.endswith(f" = {after}") and chain.text != after:
                # The value has no text of its own, as with objects; the variable has.
                return Said(code(f"{name} = {chain.text} = {after}"), claims)
        return Said(code(f"{name} = {chain.text}"), claims)

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
            parts.append(Said(code(f"{left.text} = {right.text}"), left.claims + right.claims))
        return Clause("set", join(parts, ", "))

    def _unpacked(self, reading: Reading, target: ast.expr, value: ast.expr) -> Clause:
        names = [part.id for part in ast.walk(target) if isinstance(part, ast.Name)]
        parts = [self._variable(reading, name) for name in names]
        known = [part for part in parts if part is not None]
        source = reading.chain(value)
        if not known:
            return Clause("act", Said(f"unpack {code(source.text)}", source.claims))
        return Clause(
            "act",
            join([Said(f"unpack {code(source.text)} into ", source.claims), join(known, ", ")], ""),
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
            code(f"{name} = {text}"), (reading.claim(Claim.KIND_VALUE, name, text, step=at),)
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
        return join([said, join(states, " and ")], self.voice.pick(", giving ", ", so ", " → "))

    def _augmented(self, reading: Reading, node: ast.AugAssign) -> Clause:
        if isinstance(node.target, ast.Name):
            name = node.target.id
            as_load = ast.copy_location(ast.Name(id=name, ctx=ast.Load()), node.target)
            before, right = reading.told(as_load), reading.substituted(node.value)
            after = reading.step.changes.get(name)
            if after is None:
                after = reading.trace.variable(
                    name, frame=reading.step.frame, after=reading.step.index
                )
            if before is None or after is None or not reading.shown(after):
                return self._changes(reading, node)
            claims = before.claims + right.claims
            claims += (reading.claim(Claim.KIND_VALUE, name, after),)
            whole = ast.BinOp(
                ast.Name(id=before.text), node.op, ast.Name(id=_operand(right.text, node.value))
            )
            stages = [f"{before.text} {_symbol(node.op)} {_operand(right.text, node.value)}"]
            value = reading.told(node.value)
            if value is not None and value.text != right.text:
                stages.append(f"{before.text} {_symbol(node.op)} {_negative(value.text)}")
                claims += value.claims
            del whole
            form = " = ".join([name, *(s for s in stages if len(s) <= 90), after])
            return Clause("set", Said(code(form), claims))
        source = reading.substituted(node.value)
        left = reading.substituted(node.target)
        said = Said(
            code(f"{left.text} {_symbol(node.op)}= {source.text}"), left.claims + source.claims
        )
        return Clause("act", self._with_state(reading, node.target, said))

    def _expression(self, reading: Reading, node: ast.Expr) -> Clause | None:
        call = node.value
        if not isinstance(call, ast.Call):
            return None if isinstance(call, ast.Constant) else self._changes(reading, node)
        if isinstance(call.func, ast.Name) and call.func.id == "print":
            return None
        said = reading.substituted(call)
        return Clause("act", self._with_state(reading, call, Said(code(said.text), said.claims)))

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
        """Return a condition with its values: `x > 2`, here `3 > 2`."""
        claim = reading.claim(Claim.KIND_BRANCH, ast.unparse(test), str(outcome))
        if isinstance(test, ast.BoolOp):
            decisive = self._decisive(reading, test)
            if decisive is not None:
                return Said(decisive.text, (*decisive.claims, claim))
        return join([self._plain_condition(reading, test), Said("", (claim,))], "")

    def _plain_condition(self, reading: Reading, test: ast.expr) -> Said:
        source = ast.unparse(test)
        if isinstance(test, ast.Name):
            told = reading.told(test)
            return (
                Said(code(source))
                if told is None
                else Said(f"{code(source)} ({code(told.text)})", told.claims)
            )
        stages = [
            reading.substituted(test, level) for level in range(max(1, min(3, _levels(test))))
        ]
        texts = list(
            dict.fromkeys(s.text for s in stages if s.text != source and len(s.text) <= 90)
        )
        claims = tuple(claim for stage in stages if stage.text in texts for claim in stage.claims)
        if not texts:
            return Said(code(source))
        return Said(f"{code(source)} ({', i.e. '.join(code(text) for text in texts[-2:])})", claims)

    def _decisive(self, reading: Reading, test: ast.BoolOp) -> Said | None:
        """Return the operands that settle a condition of several."""
        stopping = isinstance(test.op, ast.Or)
        parts: list[tuple[ast.expr, bool]] = []
        for operand in test.values:
            text = reading.value(operand)
            if text is None:
                return None
            truth = text not in ("False", "0", "None", "''", "[]", "{}", "()", "set()", "0.0")
            parts.append((operand, truth))
            if truth is stopping:
                return self._plain_condition(reading, operand)
        return join(
            [self._plain_condition(reading, operand) for operand, _ in parts],
            " and " if not stopping else " or ",
        )

    def _return(self, reading: Reading, node: ast.Return, frame: Frame) -> Clause:
        if node.value is None:
            return Clause("return", Said("return without a value"))
        chain = reading.chain(node.value, limit=100)
        claims = chain.claims
        if (
            frame.returned is not None
            and reading.shown(frame.returned)
            and frame.last == reading.step.index
        ):
            claims += (reading.claim(Claim.KIND_RETURN, frame.function, frame.returned),)
        return Clause("return", Said(f"return {code(chain.text)}", claims))


_SYMBOLS: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
    ast.Pow: "**", ast.LShift: "<<", ast.RShift: ">>", ast.BitOr: "|", ast.BitXor: "^",
    ast.BitAnd: "&", ast.MatMult: "@",
}  # fmt: skip


def _symbol(operator: ast.operator) -> str:
    return _SYMBOLS[type(operator)]


def _operand(text: str, node: ast.expr) -> str:
    compound = isinstance(node, ast.BinOp | ast.BoolOp | ast.Compare | ast.IfExp | ast.UnaryOp)
    return f"({text})" if compound and not text.startswith("(") else _negative(text)


def _negative(text: str) -> str:
    return f"({text})" if text.startswith("-") else text


def _levels(node: ast.expr) -> int:
    from codeio.cot_generator.tracing.expressions import _height

    return _height(node)


__all__ = ["Clause", "Clauses", "position"]
