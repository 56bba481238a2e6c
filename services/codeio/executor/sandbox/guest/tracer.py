"""Records what a program does, statement by statement, for the trace of a call.

The child compiles a program that is to be traced with `compile_program` in place
of `compile`, and makes the call through a `Recorder`:

    exec(tracer.compile_program(code, filename), namespace)
    recorder = tracer.Recorder(filename, max_steps)
    try:
        result = recorder.call(namespace[entry_point], keywords)
    finally:
        trace = recorder.to_json()

`call` returns what the function returns and lets its exception pass; the trace is
there either way. After `max_steps` statements recording stops, the trace says that
it was cut, and the call goes on to its end. Nothing depends on time, addresses or
the order of sets: the same program and input give the same bytes.

Compiling changes nothing that a program computes. It numbers the statements and
gives each its number as its line, so that the interpreter's line events become
statement events on every version; and it wraps expressions in functions that note
a value and hand it on. Names that hold functions, modules and classes are left out.

The trace is a JSON object:
- `statements`, `expressions`: source positions [line, column, end line, end column],
  lines from 1, columns from 0 in UTF-8 bytes, as in `ast`; referred to by index;
- `frames`: {function, caller (step or -1), depth, entry, last (steps), returned?,
  yielded?} per call of a function of the program, in order of the calls;
- `steps`: {s: statement, f: frame, c: {variable: value after the step, or null when
  it is gone}, v: {expression: [values]}, t: {condition: [outcomes]}, e: exception};
  the first step of a frame is its call, with the arguments as changes; a step
  records the first evaluations of an expression, `n` counts them where there are more;
- `globals`: {variable: value} of the module when the call begins;
- `cut`: true when recording stopped at a limit.

Values are texts in the form of Python literals; `…` stands for what was left out.
"""

import ast
import builtins
import json
import random
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from instrumenter import Table, instrument
from value_texts import encode, is_atom

MAX_BYTES = 4 << 20
MAX_EVALUATIONS = 24
# Recording costs frames: a program that recurses to its limit untraced must be able to here.
EXTRA_RECURSION = 150

# Flags of code objects (`inspect.CO_OPTIMIZED`, `inspect.CO_GENERATOR`).
OPTIMIZED = 0x01
GENERATOR = 0x20

Texts: TypeAlias = dict[str, str]
TraceFunction: TypeAlias = Callable[[types.FrameType, str, Any], Any]

_tables: dict[str, Table] = {}
_recorder: "Recorder | None" = None


def compile_program(source: str, filename: str) -> types.CodeType:
    """Compile a module so that its calls can be recorded; raises SyntaxError as `compile` does."""
    compile(source, filename, "exec", dont_inherit=True)
    tree = ast.parse(source, filename)
    table = _tables[filename] = instrument(tree, source)
    setattr(builtins, table.value_probe, value_probe)
    setattr(builtins, table.test_probe, test_probe)
    return compile(tree, filename, "exec", dont_inherit=True)


class Recorder:
    """Records the calls of a program, one trace per `call`."""

    def __init__(self, filename: str, max_steps: int) -> None:
        if filename not in _tables:
            raise LookupError(f"{filename} was not compiled by compile_program")
        self.filename = filename
        self.max_steps = max_steps
        self.table = _tables[filename]
        self.steps: list[dict[str, Any]] = []
        self.frames: list[dict[str, Any]] = []
        self.globals: Texts = {}
        self.cut = False
        self.bytes = 0
        self.stack: list[Activation] = []
        self.generators: dict[types.FrameType, Activation] = {}

    def call(self, function: Callable[..., Any], keywords: dict[str, Any]) -> Any:
        global _recorder  # noqa: PLW0603  (the probes are plain functions, for speed)
        self.globals = self.module_values(function)
        seed_generators()
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(limit + EXTRA_RECURSION)
        before = sys.gettrace()
        _recorder = self
        sys.settrace(self.on_call)
        try:
            return function(**keywords)
        finally:
            sys.settrace(before)
            _recorder = None
            sys.setrecursionlimit(limit)

    def to_json(self) -> str:
        trace = {
            "statements": self.table.statements,
            "expressions": self.table.expressions,
            "frames": self.frames,
            "steps": self.steps,
            "globals": self.globals,
            "cut": self.cut,
        }
        return json.dumps(trace, ensure_ascii=True, separators=(",", ":"))

    @staticmethod
    def module_values(function: Callable[..., Any]) -> Texts:
        texts: Texts = {}
        if type(function) is not types.FunctionType:
            return texts
        for name, value in function.__globals__.items():
            if type(name) is str and not name.startswith("__"):
                text = encode(value)
                if text is not None:
                    texts[name] = text
        return texts

    def on_call(
        self, frame: types.FrameType, _event: str, _argument: object
    ) -> TraceFunction | None:
        code = frame.f_code
        if self.cut or code.co_filename != self.filename or code.co_name.startswith("<"):
            return None
        # A class body has no fast locals; what it does is not told.
        if not code.co_flags & OPTIMIZED:
            return None
        activation = self.generators.get(frame)
        if activation is not None:
            self.stack.append(activation)
            return self.on_event
        if not self.room():
            return None
        activation = Activation(frame, len(self.frames))
        entry = len(self.steps)
        self.frames.append(
            {
                "function": code.co_name,
                "caller": self.stack[-1].step if self.stack else -1,
                "depth": len(self.stack),
                "entry": entry,
                "last": entry,
            }
        )
        self.stack.append(activation)
        if code.co_flags & GENERATOR:
            self.generators[frame] = activation
        self.begin(activation, code.co_firstlineno)
        self.finish(activation, frame)
        return self.on_event

    def on_event(self, frame: types.FrameType, event: str, argument: Any) -> TraceFunction | None:
        if self.cut or not self.stack:
            return None
        activation = self.stack[-1]
        if activation.frame is not frame:
            return self.on_event
        if event == "line":
            self.finish(activation, frame)
            if not self.room():
                return None
            self.begin(activation, frame.f_lineno)
        elif event == "exception":
            self.steps[activation.step]["e"] = argument[0].__name__
            activation.raising = True
        elif event == "return":
            self.finish(activation, frame)
            self.stack.pop()
            record = self.frames[activation.number]
            record["last"] = activation.step
            text = None if activation.raising else encode(argument)
            if text is not None:
                self.spend(len(text))
                if frame in self.generators:
                    record.setdefault("yielded", [])
                    if len(record["yielded"]) < MAX_EVALUATIONS:
                        record["yielded"].append(text)
                else:
                    record["returned"] = text
        return self.on_event

    def room(self) -> bool:
        """Tell whether another step may be recorded; if not, stop."""
        global _recorder  # noqa: PLW0603
        if len(self.steps) < self.max_steps and self.bytes <= MAX_BYTES:
            return True
        self.cut = True
        sys.settrace(None)
        _recorder = None
        return False

    def begin(self, activation: "Activation", statement: int) -> None:
        activation.step = len(self.steps)
        activation.raising = False
        self.steps.append({"s": statement, "f": activation.number})
        self.spend(12)

    def finish(self, activation: "Activation", frame: types.FrameType) -> None:
        """Note which variables differ from what was last known of them."""
        changed = activation.changes(frame.f_locals)
        if changed:
            step = self.steps[activation.step]
            step.setdefault("c", {}).update(changed)
            self.spend(sum(len(name) + len(text or "") for name, text in changed.items()))

    def spend(self, size: int) -> None:
        self.bytes += size + 8

    def note(self, key: str, expression: int, told: str | bool) -> None:
        if not self.stack:
            return
        step = self.steps[self.stack[-1].step]
        values = step.setdefault(key, {}).setdefault(str(expression), [])
        if len(values) < MAX_EVALUATIONS:
            values.append(told)
            self.spend(len(told) if isinstance(told, str) else 4)
        else:
            counts = step.setdefault("n", {})
            counts[str(expression)] = counts.get(str(expression), MAX_EVALUATIONS) + 1


def seed_generators() -> None:
    """Make random choices the same in every trace; the result must not depend on them anyway."""
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)


class Activation:
    """One running function of the program and what is known of its variables."""

    def __init__(self, frame: types.FrameType, number: int) -> None:
        self.frame = frame
        self.number = number
        self.step = 0
        self.raising = False
        self.known: dict[str, Known] = {}

    def changes(self, variables: Mapping[str, Any]) -> dict[str, str | None]:
        changed: dict[str, str | None] = {}
        for name, value in variables.items():
            if type(name) is not str or name.startswith("."):
                continue
            before = self.known.get(name)
            if before is not None and before.holds(value):
                continue
            text = encode(value)
            if text is None:
                continue
            if before is None or before.text != text:
                changed[name] = text
            self.known[name] = Known(value, text)
        if len(self.known) > len(variables):
            for name in [name for name in self.known if name not in variables]:
                del self.known[name]
                changed[name] = None
        return changed


class Known:
    """A value and its text; tells cheaply, for common types, that the text still holds."""

    __slots__ = ("items", "text", "value")

    def __init__(self, value: Any, text: str) -> None:
        self.value = value
        self.text = text
        self.items: list[object] | None = None
        if type(value) is list and all(is_atom(type(item)) for item in value):
            self.items = value.copy()

    def holds(self, value: Any) -> bool:
        if value is not self.value:
            return False
        if is_atom(type(value)):
            return True
        if self.items is None or len(self.items) != len(value):
            return False
        return all(map(_same, self.items, value))


def _same(left: object, right: object) -> bool:
    return left is right


def value_probe(expression: int, value: Any) -> Any:
    recorder = _recorder
    if recorder is not None:
        text = encode(value)
        if text is not None:
            recorder.note("v", expression, text)
    return value


def test_probe(expression: int, value: Any) -> bool:
    outcome = True if value else False  # noqa: SIM210  (bool() may be the program's own)
    if _recorder is not None:
        _recorder.note("t", expression, outcome)
    return outcome
