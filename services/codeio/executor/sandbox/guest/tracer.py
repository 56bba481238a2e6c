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
import collections
import enum
import json
import random
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

VALUE_PROBE = "__codeio_value__"
TEST_PROBE = "__codeio_test__"

MAX_TEXT = 400
MAX_NODES = 120
MAX_DEPTH = 6
MAX_BYTES = 4 << 20
MAX_EVALUATIONS = 24
# Recording costs frames: a program that recurses to its limit untraced must be able to here.
EXTRA_RECURSION = 150

# Flags of code objects (`inspect.CO_OPTIMIZED`, `inspect.CO_GENERATOR`).
OPTIMIZED = 0x01
GENERATOR = 0x20

Position: TypeAlias = list[int | None]
Texts: TypeAlias = dict[str, str]
TraceFunction: TypeAlias = Callable[[types.FrameType, str, Any], Any]

_tables: dict[str, "Table"] = {}
_recorder: "Recorder | None" = None


def compile_program(source: str, filename: str) -> types.CodeType:
    """Compile a module so that its calls can be recorded; raises SyntaxError as `compile` does."""
    compile(source, filename, "exec", dont_inherit=True)
    tree = ast.parse(source, filename)
    table = _tables[filename] = Table()
    Instrumenter(table).visit(tree)
    renumber(tree, table, 1)
    ast.fix_missing_locations(tree)
    return compile(tree, filename, "exec", dont_inherit=True)


class Table:
    """The source positions of statements and expressions, by number."""

    def __init__(self) -> None:
        self.statements: list[Position] = [[1, 0, 1, 0], [1, 0, 1, 0]]
        self.expressions: list[Position] = []


def position(node: ast.stmt | ast.expr | ast.excepthandler) -> Position:
    return [node.lineno, node.col_offset, node.end_lineno, node.end_col_offset]


def renumber(node: Any, table: Table, current: int) -> None:
    """Give every statement a line of its own, and its expressions the same line."""
    if isinstance(node, ast.stmt | ast.excepthandler):
        current = len(table.statements)
        table.statements.append(position(node))
    if hasattr(node, "lineno"):
        node.lineno = node.end_lineno = current
        node.col_offset = node.end_col_offset = 0
    for child in ast.iter_child_nodes(node):
        renumber(child, table, current)


SILENT = (
    ast.Constant, ast.Name, ast.Lambda, ast.Starred, ast.Slice, ast.GeneratorExp,
    ast.Yield, ast.YieldFrom, ast.Await, ast.FormattedValue,
)  # fmt: skip
Tested: TypeAlias = ast.If | ast.While | ast.IfExp | ast.Assert


class Instrumenter(ast.NodeTransformer):
    """Wraps the expressions inside functions whose values a reader of the code would ask for."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.inside = False

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return self.visit_body(node)
        if not self.inside or not isinstance(node, ast.expr):
            return super().visit(node)
        place = position(node)
        visited = super().visit(node)
        if not self.telling(visited):
            return visited
        return self.probe(VALUE_PROBE, visited, place)

    def visit_body(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        before, self.inside = self.inside, True
        node.body = [self.visit(statement) for statement in node.body]
        self.inside = before
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        node.body = self.visit(node.body)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        before, self.inside = self.inside, False
        node.body = [self.visit(statement) for statement in node.body]
        self.inside = before
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.target = self.visit(node.target)
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        # What an expression statement gives is dropped; only its parts tell something.
        super().visit(node.value) if self.inside else self.generic_visit(node)
        return node

    def visit_If(self, node: Tested) -> ast.AST:
        return self.visit_tested(node)

    visit_While = visit_IfExp = visit_Assert = visit_If  # noqa: N815

    def visit_tested(self, node: Tested) -> ast.AST:
        if self.inside:
            place = position(node.test)
            node.test = self.probe(TEST_PROBE, self.visit(node.test), place)
            for name in ("body", "orelse", "msg"):
                part = getattr(node, name, None)
                if isinstance(part, list):
                    setattr(node, name, [self.visit(statement) for statement in part])
                elif part is not None:
                    setattr(node, name, self.visit(part))
            return node
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        # The function itself is no value worth telling; what its method is called on may be.
        if isinstance(node.func, ast.Attribute):
            node.func.value = self.visit_base(node.func.value)
        elif not isinstance(node.func, ast.Name):
            node.func = super().visit(node.func)
        node.args = [self.visit(argument) for argument in node.args]
        for keyword in node.keywords:
            keyword.value = self.visit(keyword.value)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        node.value = self.visit_base(node.value)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        node.value = self.visit_base(node.value)
        node.slice = self.visit(node.slice)
        return node

    def visit_base(self, node: ast.expr) -> Any:
        # `grid[i]` in `grid[i][j]` is told by `grid[i][j]`.
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            return super().visit(node)
        return self.visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                part.value = self.visit(part.value)
        return node

    def visit_Match(self, node: ast.Match) -> ast.AST:
        node.subject = self.visit(node.subject)
        for case in node.cases:
            if case.guard is not None:
                case.guard = self.visit(case.guard)
            case.body = [self.visit(statement) for statement in case.body]
        return node

    @staticmethod
    def telling(node: ast.expr) -> bool:
        if isinstance(node, SILENT) or type(node).__name__ in ("TemplateStr", "Interpolation"):
            return False
        if isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant):
            return False
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            # `super()` and `locals()` look at the frame that calls them.
            return node.func.id not in ("super", "locals", "vars", "dir", "eval", "exec")
        if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
            return False
        # A slice with commas, as numpy has it, is no tuple to be told.
        return not (
            isinstance(node, ast.Tuple)
            and any(isinstance(item, ast.Slice | ast.Starred) for item in node.elts)
        )

    def probe(self, name: str, node: ast.expr, place: Position) -> ast.Call:
        if place in self.table.expressions[-1:]:
            number = len(self.table.expressions) - 1
        else:
            number = len(self.table.expressions)
            self.table.expressions.append(place)
        arguments = [ast.Constant(number), node]
        return ast.Call(ast.Name(name, ast.Load()), arguments, [])


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
        values = getattr(function, "__globals__", {})
        texts = {}
        for name, value in values.items():
            if not name.startswith("__"):
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
            if name.startswith("."):
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


ATOMS = frozenset({int, float, bool, str, bytes, complex, type(None)})


class Known:
    """A value and its text; tells cheaply, for common types, that the text still holds."""

    __slots__ = ("items", "text", "value")

    def __init__(self, value: Any, text: str) -> None:
        self.value = value
        self.text = text
        self.items: list[object] | None = None
        if type(value) is list and all(type(item) in ATOMS for item in value):
            self.items = value.copy()

    def holds(self, value: Any) -> bool:
        if value is not self.value:
            return False
        if type(value) in ATOMS:
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


setattr(builtins, VALUE_PROBE, value_probe)
setattr(builtins, TEST_PROBE, test_probe)


def encode(value: Any) -> str | None:
    """Return a value's text without running any of the program's code; None for code itself."""
    kind = type(value)
    if kind is int and -(10**15) < value < 10**15:
        return int.__repr__(value)
    if isinstance(value, CODE):
        return None
    encoder = Encoder()
    text = encoder.text(value, 0)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


CODE = (
    type,
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.GenericAlias,
)

# Types whose `repr` is the standard library's own.
PLAIN_MODULES = frozenset({"datetime", "decimal", "fractions", "clocks"})

SEQUENCES = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    collections.deque: ("deque([", "])"),
    type({}.keys()): ("[", "]"),
    type({}.values()): ("[", "]"),
    type({}.items()): ("[", "]"),
}
MAPPINGS = {
    dict: "{}",
    collections.OrderedDict: "OrderedDict({})",
    collections.defaultdict: "defaultdict({})",
    collections.Counter: "Counter({})",
}


class Encoder:
    """Writes one value, within limits of depth, number of parts and length."""

    def __init__(self) -> None:
        self.nodes = MAX_NODES
        self.path: set[int] = set()

    def text(self, value: Any, depth: int) -> str:
        self.nodes -= 1
        kind = type(value)
        if kind is str:
            text = str.__repr__(value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + "…")
        elif kind is int:
            text = int.__repr__(value) if value.bit_length() < 4 * MAX_TEXT else "…"
        elif kind in ATOMS:
            text = repr(value) if kind is not bytes or len(value) <= MAX_TEXT else "…"
        elif self.nodes <= 0 or depth >= MAX_DEPTH or id(value) in self.path:
            text = "…"
        else:
            self.path.add(id(value))
            text = self.compound(kind, value, depth + 1)
            self.path.discard(id(value))
        return text

    def compound(self, kind: type, value: Any, depth: int) -> str:  # noqa: C901  (one case per kind of value)
        if kind in SEQUENCES:
            return self.sequence(kind, value, depth)
        if kind in MAPPINGS:
            inner = self.pairs(dict.items(value), depth, "{}: {}")
            return MAPPINGS[kind].replace("{}", "{" + inner + "}")
        if kind is range:
            return repr(value)
        if isinstance(value, CODE):
            return f"<{getattr(value, '__name__', kind.__name__)}>"
        numpy = sys.modules.get("numpy")
        if numpy is not None and kind is getattr(numpy, "ndarray", None):
            return f"array({self.text(value.tolist(), depth)})" if value.size <= 400 else "array(…)"
        if numpy is not None and kind.__module__ == "numpy" and issubclass(kind, numpy.generic):
            return self.text(value.item(), depth)
        if isinstance(value, BaseException):
            return f"{kind.__name__}(…)"
        if kind.__module__ in PLAIN_MODULES:
            return repr(value)
        if isinstance(value, enum.Enum):
            return f"{kind.__name__}.{value._name_}"
        if isinstance(value, tuple):
            inner = ", ".join(self.text(item, depth) for item in tuple.__iter__(value))
            return f"{kind.__name__}({inner})"
        fields = attributes(value, kind)
        if fields is None:
            return f"<{kind.__name__}>"
        return f"{kind.__name__}({self.pairs(fields, depth, '{}={}', names=True)})"

    def sequence(self, kind: type, value: Iterable[Any], depth: int) -> str:
        opening, closing = SEQUENCES[kind]
        texts = []
        size = 0
        for item in value:
            if self.nodes <= 0 or size > MAX_TEXT:
                texts.append("…")
                break
            texts.append(self.text(item, depth))
            size += len(texts[-1]) + 2
        if kind in (set, frozenset):
            if not texts:
                return f"{kind.__name__}()"
            # What is left out of a set must not depend on its order.
            texts = ["…"] if "…" in texts else sorted(texts, key=lambda text: (len(text), text))
        elif kind is tuple and len(texts) == 1:
            closing = ",)"
        return opening + ", ".join(texts) + closing

    def pairs(
        self, items: Iterable[tuple[Any, Any]], depth: int, form: str, *, names: bool = False
    ) -> str:
        texts = []
        size = 0
        for key, item in items:
            if self.nodes <= 0 or size > MAX_TEXT:
                texts.append("…")
                break
            if names and isinstance(item, CODE):
                continue
            left = key if names else self.text(key, depth)
            texts.append(form.format(left, self.text(item, depth)))
            size += len(texts[-1]) + 2
        return ", ".join(texts)


def attributes(value: object, kind: type) -> list[tuple[str, Any]] | None:
    """Return the fields of an object of the program's own classes, or None; no property is run."""
    found: dict[Any, Any] = {}
    own = False
    for base in kind.__mro__:
        for name, member in base.__dict__.items():
            if type(member) is types.MemberDescriptorType and base.__module__ == "program":
                own = True
                try:
                    found[name] = member.__get__(value)
                except AttributeError:
                    continue
            elif name == "__dict__" and type(member) is types.GetSetDescriptorType:
                fields = member.__get__(value)
                if type(fields) is dict:
                    own = True
                    found.update(fields)
    if not own:
        return None
    return [(name, item) for name, item in found.items() if type(name) is str]
