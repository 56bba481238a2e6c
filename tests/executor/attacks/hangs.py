"""Time: loops where no signal handler of Python's runs, recursion, expressions gone bad."""

from __future__ import annotations

from codeio.v1.execution_pb2 import Outcome
from tests.executor.attacks.attack import SYSCALLS, Attack

# (name, expression); all are at work in C, or seem to be.
BUSY = (
    ("sums for ever in C", "sum(range(10**12))"),
    ("computes a big power", "pow(3, 10**9)"),
    ("prints a big integer", "len(str(7 ** (1 << 24)))"),
    ("matches a catastrophic expression", "re.match(r'(a+)+$', 'a' * 60 + 'b') is None"),
    ("adds decimals without end", "sum(map(decimal.Decimal, itertools.count()))"),
    ("takes permutations for ever", "sum(1 for _ in itertools.permutations(range(20)))"),
)

RECURSION = (
    (
        "recurses without end",
        "def f(n):\n    return f(n + 1)\ndef main_solution(a):\n    return f(0)\n",
    ),
    (
        "recurses in the text of a list",
        "def main_solution(a):\n    x = []\n    for _ in range(10**5):\n        x = [x]\n"
        "    return repr(x)\n",
    ),
    (
        "recurses in comparing",
        "def main_solution(a):\n    x, y = [], []\n    x.append(y)\n    y.append(x)\n"
        "    return x == y\n",
    ),
    (
        "recurses in reading JSON",
        "import json\ndef main_solution(a):\n    return json.loads('[' * 10**6)\n",
    ),
    (
        "recurses in copying",
        "import copy\ndef main_solution(a):\n    x = []\n    for _ in range(10**5):\n"
        "        x = [x]\n    return copy.deepcopy(x)\n",
    ),
    (
        "recurses in a pickle",
        "import pickle\ndef main_solution(a):\n    x = []\n    for _ in range(10**5):\n"
        "        x = [x]\n    return len(pickle.dumps(x))\n",
    ),
)

ATTACKS = (
    Attack(
        "loops for ever",
        "def main_solution(a):\n    while True:\n        pass\n",
        Outcome.OUTCOME_CPU_TIMEOUT,
    ),
    *(
        Attack(
            name,
            f"""
            import decimal, itertools, re, sys
            def main_solution(a):
                sys.set_int_max_str_digits(0)
                decimal.getcontext().prec = 10**8
                return {expression}
            """,
            Outcome.OUTCOME_CPU_TIMEOUT,
            # What it holds meanwhile may come to the limit first.
            or_else=(Outcome.OUTCOME_MEMORY,),
        )
        for name, expression in BUSY
    ),
    Attack(
        "loops in many threads",
        """
        import threading
        def spin():
            while True:
                pass
        def main_solution(a):
            for _ in range(4):
                threading.Thread(target=spin).start()
            spin()
        """,
        Outcome.OUTCOME_CPU_TIMEOUT,
    ),
    Attack(
        "sleeps",
        "import time\ndef main_solution(a):\n    time.sleep(99)\n",
        Outcome.OUTCOME_WALL_TIMEOUT,
    ),
    Attack(
        "pauses in the C library",
        "def main_solution(a):\n    libc.pause()\n",
        Outcome.OUTCOME_WALL_TIMEOUT,
        begins_with=SYSCALLS,
    ),
    Attack(
        "waits for what never comes",
        """
        import os
        def main_solution(a):
            read, write = os.pipe()
            os.read(read, 1)
        """,
        Outcome.OUTCOME_WALL_TIMEOUT,
    ),
    Attack(
        "waits for itself",
        """
        import threading
        def main_solution(a):
            lock = threading.Lock()
            lock.acquire()
            lock.acquire()
        """,
        Outcome.OUTCOME_WALL_TIMEOUT,
    ),
    Attack(
        "loops while it catches all that may stop it",
        """
        def main_solution(a):
            while True:
                try:
                    while True:
                        pass
                except BaseException:
                    pass
        """,
        Outcome.OUTCOME_CPU_TIMEOUT,
    ),
    *(
        Attack(name, code, Outcome.OUTCOME_RAISED, error_type="RecursionError")
        for name, code in RECURSION
    ),
    *(
        Attack(
            f"nests what it has {name}",
            f"""
            import ast, re
            def main_solution(a):
                return {expression}
            """,
            # The parser says that it lacks memory where it lacks stack, or counts its levels.
            Outcome.OUTCOME_RAISED,
            or_else=(Outcome.OUTCOME_MEMORY,),
        )
        for name, expression in (
            ("evaluated", "eval('-' * 10**5 + '1')"),
            ("read as a literal", "ast.literal_eval('[' * 10**5)"),
            ("compiled as an expression", "re.compile('(' * 10**5 + ')' * 10**5)"),
        )
    ),
    Attack(
        "recurses in hashing",
        """
        def main_solution(a):
            x = ()
            for _ in range(10**6):
                x = (x, 1)
            return hash(x) == 0
        """,
        # Nobody counts the levels there.
        Outcome.OUTCOME_CRASHED,
        or_else=(Outcome.OUTCOME_RAISED, Outcome.OUTCOME_OK),
    ),
    Attack(
        "returns an integer of half a million digits",
        "def main_solution(a):\n    return 10 ** (5 * 10**5)\n",
        # Newer versions of Python write it out in time.
        Outcome.OUTCOME_CPU_TIMEOUT,
        or_else=(Outcome.OUTCOME_OK,),
    ),
    Attack(
        "prints an integer of too many digits",
        "def main_solution(a):\n    return str(10 ** 10**6)\n",
        Outcome.OUTCOME_RAISED,
        error_type="ValueError",
    ),
    Attack(
        "recurses past the stack of C",
        """
        import sys
        def f(n):
            # Through C at each level: Python's own frames are on no stack.
            return sorted([n], key=f)
        def main_solution(a):
            sys.setrecursionlimit(10**9)
            return f(0)
        """,
        # Versions of Python differ in whether they count the levels of C.
        Outcome.OUTCOME_RAISED,
        or_else=(Outcome.OUTCOME_CRASHED, Outcome.OUTCOME_MEMORY),
    ),
    Attack(
        "leaves threads and handlers for after its end",
        """
        import atexit, sys, threading, time
        def late():
            while True:
                time.sleep(0.1)
        def main_solution(a):
            atexit.register(late)
            sys.excepthook = sys.unraisablehook = lambda *_: late()
            threading.Thread(target=late).start()
            threading.Thread(target=late, daemon=True).start()
            return 1
        """,
        Outcome.OUTCOME_OK,
        output="1",
        seconds=10,
    ),
    Attack(
        "has an end that never ends",
        """
        class Thing:
            def __del__(self):
                while True:
                    pass
        def main_solution(a):
            thing = Thing()
            return 1
        """,
        # It is deleted as the call returns, within the call's time.
        Outcome.OUTCOME_CPU_TIMEOUT,
    ),
    Attack(
        "seeks what tells the sandbox from elsewhere",
        """
        import os, sys, time
        def main_solution(a):
            assert abs(time.time() - time.time_ns() / 1e9) < 1
            assert time.monotonic() <= time.monotonic()
            return [os.environ.get('PYTHONHASHSEED'), hash('x') == hash('x'),
                    sys.flags.hash_randomization]
        """,
        Outcome.OUTCOME_OK,
        effects=("clock",),
    ),
)
