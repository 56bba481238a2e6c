"""What a language model is asked about a file. The words are ours; the parts are the paper's.

Paper, section 2.1: a file becomes reference code with a main entry function,
a description of its inputs and outputs, an input generator and a query.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeio.normalizer.teacher.reply import (
    CODE,
    DESCRIPTION,
    GENERATOR_PART,
    NOTHING,
    PROBLEM,
)
from codeio.runtime.markdown import fenced
from codeio.runtime.records import ENTRY_POINT, GENERATOR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeio.runtime.settings import Category, LimitsSettings

_PROGRAM = """\
Below is a file of Python source code as somebody wrote it. Make one self-contained program of \
the most interesting logic in it: a function whose output has to be reasoned out from its input.

Your reply has four parts, each under a heading of exactly this form:

## {problem}

The task in plain words, for somebody who will never see the code: what is given, what is to be \
worked out, and every rule, constant, special case and order that decides the result. Do not \
quote code and do not retell it line by line.

## {description}

Every argument and the result with its type and meaning, in this form:

Input:
  `name` (type): what it means and which values it takes
Output:
  `return` (type): what it means

## {code}

```python
The program: imports, constants, classes and functions as needed, and the entry point
`def {entry_point}(...)`.
```

## {generator}

```python
import random


def {generate}(rng: random.Random) -> dict:
    ...
```

Rules for the code:
- `{entry_point}` takes named arguments (no `*args`, no `**kwargs`) and returns the result. \
Arguments and result are what JSON can hold: numbers, strings, booleans, None, lists, and dicts \
with string keys. Convert inside: build the objects of the file from plain arguments, turn its \
sets, tuples, arrays and objects into lists and dicts (a set into a sorted list).
- Keep the logic of the file; leave out what is not needed for it. What the file reads from \
files, the network, the keyboard or the command line becomes an argument, what it prints becomes \
the result.
- The result depends on the arguments alone: no files, network, clock, randomness, environment, \
processes or printing, and nothing remembered from one call to the next.
- Import only Python's standard library, numpy, scipy, sympy, pandas, networkx, sortedcontainers \
and dateutil.
- A call takes well under {seconds} seconds.

Rules for `{generate}`:
- It returns a dict that holds every argument of `{entry_point}` by its name, with values that \
the code accepts. The dict is passed as `{entry_point}(**inputs)`.
- All chance comes from `rng`, such as `rng.randint(1, 9)` and `rng.choice(names)`.
- Inputs are varied, so that the outputs differ and every branch of the code is reached now and \
then.
- Inputs and outputs stay small: fewer than {items} items in every list and dict, strings of \
fewer than {chars} characters, at most {bytes} bytes of JSON for all arguments together and for \
the result.

If nothing in the file can be made such a program (it only configures, draws, serves or talks to \
other systems, or needs packages that are not listed), reply with this one line instead of the \
four parts:

{nothing}: the reason in a few words

The file:

{file}"""

_REPAIR = """\
Your reply cannot be used as it is: {complaint}

Mend this, and send the whole reply again in the same form: the headings `## {problem}`, \
`## {description}`, `## {code}` and `## {generator}`, with everything under them; or the line \
`{nothing}: reason` if the file is of no use."""


def program_request(file: str, limits: LimitsSettings) -> str:
    """Ask for a program made of a file."""
    return _PROGRAM.format(
        problem=PROBLEM,
        description=DESCRIPTION,
        code=CODE,
        generator=GENERATOR_PART,
        entry_point=ENTRY_POINT,
        generate=GENERATOR,
        seconds=f"{limits.cpu_seconds:g}",
        items=limits.container_items,
        chars=limits.string_chars,
        bytes=limits.value_bytes,
        nothing=NOTHING,
        file=fenced(file, "python"),
    )


def repair_request(complaint: str) -> str:
    """Ask for the whole reply again, with a sentence on what was wrong with it."""
    return _REPAIR.format(
        complaint=complaint,
        problem=PROBLEM,
        description=DESCRIPTION,
        code=CODE,
        generator=GENERATOR_PART,
        nothing=NOTHING,
    )


CATEGORIES: Mapping[Category, str] = {
    "algorithms": "well-known algorithms and data structures: sorting, searching, graphs, trees, "
    "dynamic programming, text and bit manipulation",
    "logic_puzzles": "puzzles and games with rules: sudoku, mazes, cards, boards, riddles, "
    "constraint satisfaction",
    "mathematics": "number theory, algebra, geometry, combinatorics, probability, numerical "
    "methods",
    "scientific_computation": "formulas and models of physics, chemistry, biology, astronomy, "
    "engineering, statistics or finance",
    "system_modelling": "simulation of a process or system by its rules: schedules, inventories, "
    "accounts, machines, protocols, state machines",
    "other_reasoning": "other logic of several steps that decides a result, such as parsing, "
    "planning, validating or scoring",
    "non_reasoning": "no logic to speak of: configuration, user interfaces, web or database "
    "access, plotting, training scripts, tests, boilerplate",
}

_CATEGORY = """\
Below is a file of Python source code. Which kind of code is most of its logic?

{kinds}

Reply with the name of one kind, exactly as it stands above, and nothing else.

The file:

{file}"""

_CATEGORY_AGAIN = """\
That is none of the names. Reply with one of these words and nothing else: {names}."""


def category_request(file: str) -> str:
    """Ask which kind of code a file is."""
    kinds = "\n".join(f"- {name}: {what}" for name, what in CATEGORIES.items())
    return _CATEGORY.format(kinds=kinds, file=fenced(file, "python"))


def category_again() -> str:
    """Ask once more, after a reply that named no kind."""
    return _CATEGORY_AGAIN.format(names=", ".join(CATEGORIES))


_COMPLETION = """\
In the file of Python source code below, the body of `{name}` is missing, where the comment \
`{hole}` stands. Write the function as its name, its documentation and the rest of the file ask \
for, with the same signature. Names of the file may be used.

Reply with the whole function, and nothing but it, in one fenced Python block.

{file}"""

HOLE = "# the missing body"


def completion_request(name: str, file: str) -> str:
    """Ask for a function whose body `HOLE` stands for in the file."""
    return _COMPLETION.format(name=name, hole=HOLE, file=fenced(file, "python"))
