"""Attacks before the first call: at the top level of a program, or in its text."""

from __future__ import annotations

from codeio.v1.execution_pb2 import Call, Outcome
from tests.executor.attacks.attack import SYSCALLS, Attack

ENTRY = "def main_solution(a):\n    return 1\n"

ATTACKS = (
    Attack("is no Python", "def main_solution(a) return a\n", Outcome.OUTCOME_LOAD_FAILED),
    Attack("lacks its entry point", "x = 1\n", Outcome.OUTCOME_LOAD_FAILED),
    Attack("is empty", "", Outcome.OUTCOME_LOAD_FAILED),
    Attack(
        "imports what is not there",
        f"import tensorflow\n{ENTRY}",
        Outcome.OUTCOME_LOAD_FAILED,
        error_type="ModuleNotFoundError",
    ),
    Attack("holds null characters", f"x = 1\0\n{ENTRY}", Outcome.OUTCOME_LOAD_FAILED),
    Attack("loops while loading", f"while True:\n    pass\n{ENTRY}", Outcome.OUTCOME_CPU_TIMEOUT),
    Attack(
        "sleeps while loading",
        f"import time\ntime.sleep(99)\n{ENTRY}",
        Outcome.OUTCOME_WALL_TIMEOUT,
    ),
    Attack("ends while loading", f"import os\nos._exit(0)\n{ENTRY}", Outcome.OUTCOME_EXITED),
    Attack("exits while loading", f"import sys\nsys.exit(0)\n{ENTRY}", Outcome.OUTCOME_LOAD_FAILED),
    Attack(
        "crashes while loading",
        f"import ctypes\nctypes.string_at(0)\n{ENTRY}",
        Outcome.OUTCOME_CRASHED,
    ),
    Attack(
        "prints without end while loading",
        f"while True:\n    print('x' * 1000)\n{ENTRY}",
        Outcome.OUTCOME_OUTPUT_FLOOD,
    ),
    Attack(
        "allocates without end while loading",
        f"x = [0]\nwhile True:\n    x += x\n{ENTRY}",
        Outcome.OUTCOME_MEMORY,
    ),
    Attack(
        "forks while loading",
        f"import os\nwhile True:\n    os.fork()\n{ENTRY}",
        Outcome.OUTCOME_LOAD_FAILED,
        error_type="PermissionError",
    ),
    Attack(
        "raises while loading what cannot be printed",
        """
        class Text(str):
            def __len__(self): raise RuntimeError
        class Evil(Exception):
            def __str__(self): return Text('x')
        raise Evil
        """,
        Outcome.OUTCOME_LOAD_FAILED,
        error_type="Evil",
    ),
    Attack(
        "nests its parentheses too deeply",
        f"x = {'(' * 5000}{')' * 5000}\n{ENTRY}",
        Outcome.OUTCOME_LOAD_FAILED,
    ),
    Attack(
        "nests its operators too deeply",
        f"x = {'-' * 100_000}1\n{ENTRY}",
        # CPython's parser says that it lacks memory where it lacks stack.
        Outcome.OUTCOME_LOAD_FAILED,
        or_else=(Outcome.OUTCOME_MEMORY,),
    ),
    Attack(
        "nests its attributes too deeply",
        f"x = a{'.b' * 50_000}\n{ENTRY}",
        Outcome.OUTCOME_LOAD_FAILED,
        or_else=(Outcome.OUTCOME_MEMORY,),
    ),
    Attack(
        "is folded to gigabytes by the compiler",
        f"x = ('a' * 4000,) * 4000 * 4000 * 4000\n{ENTRY}",
        Outcome.OUTCOME_MEMORY,
        or_else=(Outcome.OUTCOME_LOAD_FAILED,),
    ),
    Attack(
        "is very long",
        "x = 1\n" * 500_000 + ENTRY,
        # It compiles as long as its time lasts.
        Outcome.OUTCOME_CPU_TIMEOUT,
        or_else=(Outcome.OUTCOME_OK, Outcome.OUTCOME_MEMORY),
    ),
    Attack("has an entry point that is no function", "main_solution = 5\n", Outcome.OUTCOME_RAISED),
    Attack(
        "has an entry point that is a class",
        "class main_solution:\n    def __init__(self, a):\n        pass\n",
        Outcome.OUTCOME_NOT_JSON,
        error_type="main_solution",
    ),
    Attack(
        "has an entry point that takes nothing",
        "def main_solution():\n    return 1\n",
        Outcome.OUTCOME_RAISED,
        error_type="TypeError",
    ),
    Attack(
        "has an entry point that is a coroutine",
        "async def main_solution(a):\n    return 1\n",
        Outcome.OUTCOME_NOT_JSON,
    ),
    Attack(
        "has an entry point with a call that raises",
        """
        class Entry:
            def __getattribute__(self, name): raise RuntimeError(name)
            def __call__(self, a): raise GeneratorExit
        main_solution = Entry()
        """,
        Outcome.OUTCOME_RAISED,
        error_type="GeneratorExit",
    ),
    Attack(
        "has names that raise when compared",
        """
        class Name(str):
            def __eq__(self, other): raise RuntimeError('eq')
            __hash__ = str.__hash__
        globals()[Name('main_solution')] = 1
        """,
        Outcome.OUTCOME_LOAD_FAILED,
    ),
    *(
        Attack(
            f"has a generator of inputs whose code is {name}",
            f"""
            class Entry:
                __code__ = {code}
                def __call__(self, rng): return 1
            main_solution = Entry()
            """,
            outcome,
            call=Call(seed=1),
        )
        for name, code, outcome in (
            ("a number", "5", Outcome.OUTCOME_OK),
            ("a question that raises", "property(lambda self: 1 // 0)", Outcome.OUTCOME_RAISED),
        )
    ),
    Attack(
        "changes the module that seeds its generator",
        "import random\nrandom.seed = lambda _: 1 // 0\ndef main_solution():\n    return 1\n",
        Outcome.OUTCOME_RAISED,
        error_type="ZeroDivisionError",
        call=Call(seed=1),
    ),
    Attack(
        "kills the process that loads it by its group",
        f"succeed(group=lambda: os.killpg(0, 9), parent=lambda: os.kill(0, 9))\n{ENTRY}",
        Outcome.OUTCOME_OK,
        or_else=(Outcome.OUTCOME_CRASHED,),
        begins_with=SYSCALLS,
    ),
)
