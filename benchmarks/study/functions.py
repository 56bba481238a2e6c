"""Questions of another source: functions out of a random grammar.

None of them is anyone's code, so no package of the training data can hold them.
Statements over text, whole numbers, lists and dicts are put together so that
each works on what the ones before it left; the function is run here, as all of
it was written here. Kept is what gives different answers for different inputs,
none of which is one of its arguments.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.study.plan import Direction, Origin
from benchmarks.study.questions import Question

from codeio.runtime import records, values
from codeio.v1.records_pb2 import Direction as RecordDirection
from codeio.v1.records_pb2 import IoPair
from codeio.v1.records_pb2 import Origin as RecordOrigin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENTRY_POINT = "main_solution"
_INPUTS = 8
_LONGEST_OUTPUT = 80
_LETTERS = "abcdefghij"

# What can be done with a value of a kind, and the kind that comes of it. {v} is the value, {n}
# a small number, {c} a letter.
_STEPS: dict[str, tuple[tuple[str, str], ...]] = {
    "str": (
        ("{v}.upper()", "str"),
        ("{v}[::-1]", "str"),
        ("{v} + {v}[:{n}]", "str"),
        ("{v}.replace({c!r}, {c2!r})", "str"),
        ("{v}[{n}:] + {v}[:{n}]", "str"),
        ("''.join(sorted({v}))", "str"),
        ("''.join(x for x in {v} if x != {c!r})", "str"),
        ("''.join(x * {n} for x in {v})", "str"),
        ("len({v})", "int"),
        ("{v}.count({c!r})", "int"),
        ("{v}.find({c!r})", "int"),
        ("list({v})", "words"),
        ("[ord(x) - 96 for x in {v}.lower()]", "ints"),
        ("{{x: {v}.count(x) for x in {v}}}", "counts"),
    ),
    "int": (
        ("{v} + {n}", "int"),
        ("{v} * {n}", "int"),
        ("{v} % {n} + {n}", "int"),
        ("{v} // {n}", "int"),
        ("abs({v} - {n})", "int"),
        ("{v} ** 2", "int"),
        ("str({v})", "str"),
        ("list(range({v} % 7 + 1))", "ints"),
        ("[{v} + i for i in range({n})]", "ints"),
        ("[int(x) for x in str(abs({v}))]", "ints"),
    ),
    "ints": (
        ("sorted({v})", "ints"),
        ("{v}[::-1]", "ints"),
        ("[x + {n} for x in {v}]", "ints"),
        ("[x * {n} for x in {v}]", "ints"),
        ("[x for x in {v} if x % {n2} == 0]", "ints"),
        ("[x for x in {v} if x > {n}]", "ints"),
        ("{v}[:{n}] + {v}[:1]", "ints"),
        ("[a + b for a, b in zip({v}, {v}[1:])]", "ints"),
        ("sorted(set({v}))", "ints"),
        ("sum({v})", "int"),
        ("len({v})", "int"),
        ("max({v}, default={n})", "int"),
        ("'-'.join(str(x) for x in {v})", "str"),
        ("{{str(x): x % {n2} for x in {v}}}", "counts"),
    ),
    "words": (
        ("sorted({v})", "words"),
        ("{v}[::-1]", "words"),
        ("[x + {c!r} for x in {v}]", "words"),
        ("[x for x in {v} if {c!r} not in x]", "words"),
        ("{v}[{n}:]", "words"),
        ("[len(x) for x in {v}]", "ints"),
        ("''.join({v})", "str"),
        ("len({v})", "int"),
    ),
    "counts": (
        ("{{k: x + {n} for k, x in {v}.items()}}", "counts"),
        ("{{k: x for k, x in {v}.items() if x > 1}}", "counts"),
        ("sorted({v})", "words"),
        ("list({v}.values())", "ints"),
        ("sum({v}.values())", "int"),
        ("''.join(sorted({v}))", "str"),
    ),
}
_NAMES = {
    "str": ("text", "line", "name"),
    "int": ("n", "number", "size"),
    "ints": ("items", "numbers", "row"),
    "words": ("words", "parts", "names"),
    "counts": ("counts", "table", "found"),
}
_TYPES = {"str": "str", "int": "int", "ints": "list[int]", "words": "list[str]"}
_CONDITIONS = {
    "str": "len({v}) > {n}",
    "int": "{v} % 2 == 0",
    "ints": "len({v}) > {n}",
    "words": "len({v}) > {n}",
    "counts": "len({v}) > {n}",
}


@dataclass(frozen=True)
class _Variable:
    name: str
    kind: str


def random_questions(direction: Direction, *, count: int, seed: int) -> list[Question]:
    """Return questions about functions that differ from one another, one of each."""
    rng = random.Random(f"{seed} {direction}")
    made: dict[str, Question] = {}
    while len(made) < count:
        code, parameters = random_function(rng)
        pair = next(iter(_pairs(code, parameters, rng)), None)
        if pair is not None and code not in made:
            made[code] = _question(code, pair, direction)
    return list(made.values())


def random_function(rng: random.Random) -> tuple[str, dict[str, str]]:
    """Return a function and the kinds of its parameters by name."""
    kinds = rng.sample(sorted(_TYPES), k=rng.choice((1, 1, 2)))
    variables = [_Variable(rng.choice(_NAMES[kind]), kind) for kind in kinds]
    parameters = {variable.name: variable.kind for variable in variables}
    lines = []
    for _ in range(rng.randint(2, 4)):
        # What does not build on the last value is rare: it would be code to no end.
        source = variables[-1] if rng.random() < 0.8 else rng.choice(variables)
        expression, kind = rng.choice(_STEPS[source.kind])
        value = _filled(expression, source, rng)
        target = _Variable(rng.choice(_NAMES[kind]), kind)
        same_kind = [step for step, other in _STEPS[source.kind] if other == kind]
        if rng.random() < 0.3 and len(same_kind) > 1:
            condition = _filled(_CONDITIONS[source.kind], source, rng)
            other = _filled(rng.choice(same_kind), source, rng)
            lines += [f"if {condition}:", f"    {target.name} = {value}"]
            lines += ["else:", f"    {target.name} = {other}"]
        else:
            lines.append(f"{target.name} = {value}")
        variables = [each for each in variables if each.name != target.name] + [target]
    signature = ", ".join(f"{name}: {_TYPES[kind]}" for name, kind in parameters.items())
    body = "\n".join(f"    {line}" for line in [*lines, f"return {variables[-1].name}"])
    return f"def {ENTRY_POINT}({signature}):\n{body}\n", parameters


def _filled(expression: str, variable: _Variable, rng: random.Random) -> str:
    return expression.format(
        v=variable.name,
        n=rng.randint(2, 5),
        n2=rng.randint(2, 3),
        c=rng.choice(_LETTERS),
        c2=rng.choice(_LETTERS),
    )


def _pairs(code: str, parameters: dict[str, str], rng: random.Random) -> Iterator[IoPair]:
    """Yield a pair if the function gives more than one output, and no argument of its own."""
    namespace: dict[str, Any] = {}
    exec(code, namespace)  # a function of the grammar above
    function: Callable[..., Any] = namespace[ENTRY_POINT]
    inputs = [
        {name: _random_value(kind, rng) for name, kind in parameters.items()}
        for _ in range(_INPUTS)
    ]
    pairs = [(values.dumps(given), values.dumps(function(**given))) for given in inputs]
    if len({output for _, output in pairs}) < _INPUTS // 2:
        return
    if any(values.loads(output) in values.loads(given).values() for given, output in pairs):
        return
    if max(len(output) for _, output in pairs) <= _LONGEST_OUTPUT:
        yield IoPair(input_json=pairs[0][0], output_json=pairs[0][1])


def _random_value(kind: str, rng: random.Random) -> Any:
    match kind:
        case "str":
            return "".join(rng.choices(_LETTERS, k=rng.randint(3, 8)))
        case "int":
            return rng.randint(2, 60)
        case "ints":
            return [rng.randint(0, 20) for _ in range(rng.randint(3, 6))]
        case _:
            return [_random_word(rng) for _ in range(rng.randint(3, 5))]


def _random_word(rng: random.Random) -> str:
    return "".join(rng.choices(_LETTERS, k=rng.randint(2, 4)))


def _question(code: str, pair: IoPair, direction: Direction) -> Question:
    program_id = records.program_id(code=code, entry_point=ENTRY_POINT, origin=RecordOrigin())
    recorded = {
        Direction.OUTPUT: RecordDirection.DIRECTION_OUTPUT_PREDICTION,
        Direction.INPUT: RecordDirection.DIRECTION_INPUT_PREDICTION,
    }[direction]
    return Question(
        question_id=records.task_id(program_id=program_id, pair=pair, direction=recorded),
        program_id=program_id,
        origin=Origin.FUNCTIONS,
        direction=direction,
        code=code,
        entry_point=ENTRY_POINT,
        input_json=pair.input_json,
        output_json=pair.output_json,
    )
