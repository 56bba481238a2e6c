"""Results, exceptions and arguments whose own methods misbehave, or that JSON cannot hold."""

from __future__ import annotations

from codeio.v1.execution_pb2 import Outcome
from tests.executor.attacks.attack import Attack

# (name, expression for the result, outcome, output)
PLAIN_RESULTS = (
    ("a set", "{1, 2}", Outcome.OUTCOME_NOT_JSON, None),
    ("NaN", "float('nan')", Outcome.OUTCOME_NOT_JSON, None),
    ("an infinity deep inside", "{'a': [{'b': float('-inf')}]}", Outcome.OUTCOME_NOT_JSON, None),
    ("bytes", "b'x'", Outcome.OUTCOME_NOT_JSON, None),
    ("a complex number", "1j", Outcome.OUTCOME_NOT_JSON, None),
    ("a generator without end", "iter(int, 1)", Outcome.OUTCOME_NOT_JSON, None),
    ("keys that are tuples", "{(1, 2): 3}", Outcome.OUTCOME_NOT_JSON, None),
    ("keys that are None and True", "{None: 1, True: 2}", Outcome.OUTCOME_OK, None),
    ("a key that is NaN", "{float('nan'): 1}", Outcome.OUTCOME_NOT_JSON, None),
    ("two keys that are one in JSON", "{1: 'a', '1': 'b'}", Outcome.OUTCOME_NOT_JSON, None),
    ("half a surrogate pair", "'\\ud800'", Outcome.OUTCOME_NOT_JSON, None),
    ("a key that is half a pair", "{'\\udfff': 1}", Outcome.OUTCOME_NOT_JSON, None),
    ("a null character", "'\\0'", Outcome.OUTCOME_OK, '"\\u0000"'),
    ("an integer of 5000 digits", "10**5000", Outcome.OUTCOME_OK, "1" + "0" * 5000),
    ("zero below zero", "-0.0", Outcome.OUTCOME_OK, "-0.0"),
    ("a type", "int", Outcome.OUTCOME_NOT_JSON, None),
    ("itself", "main_solution", Outcome.OUTCOME_NOT_JSON, None),
    ("too much for the process", "'x' * 10**7", Outcome.OUTCOME_TOO_LARGE, None),
)

RESULTS = (
    *(
        Attack(
            f"returns {name}",
            f"def main_solution(a):\n    return {expression}\n",
            outcome,
            output=output,
        )
        for name, expression, outcome, output in PLAIN_RESULTS
    ),
    Attack(
        "returns too much for the paper",
        "def main_solution(a):\n    return list(range(50))\n",
        Outcome.OUTCOME_TOO_LARGE,
        unlimited_sizes=False,
    ),
    Attack(
        "returns a cycle",
        "def main_solution(a):\n    x = []\n    x.append(x)\n    return x\n",
        Outcome.OUTCOME_NOT_JSON,
    ),
    Attack(
        "returns a million levels",
        """
        def main_solution(a):
            x = []
            for _ in range(10**6):
                x = [x]
            return x
        """,
        Outcome.OUTCOME_NOT_JSON,
    ),
    Attack(
        "returns more levels than readers bear",
        """
        def main_solution(a):
            x = 1
            for _ in range(300):
                x = [x]
            return x
        """,
        Outcome.OUTCOME_NOT_JSON,
    ),
    Attack(
        "returns subclasses that lie about their value",
        """
        class Text(str):
            def __str__(self): raise RuntimeError
            __repr__ = __hash__ = __len__ = __eq__ = __iter__ = __str__
        class Number(int):
            def __repr__(self): return '"forged"'
            __str__ = __repr__
        class Real(float):
            def __repr__(self): return 'NaN'
        class List(list):
            def __repr__(self): raise RuntimeError
        def main_solution(a):
            return [Text('x'), Number(3), Real(0.5), List([1])]
        """,
        Outcome.OUTCOME_OK,
        output='["x", 3, 0.5, [1]]',
    ),
    Attack(
        "returns keys that lie about their value",
        """
        class Text(str):
            def __str__(self): raise RuntimeError
            __repr__ = __len__ = __eq__ = __str__
            __hash__ = str.__hash__
        class Number(int):
            def __repr__(self): return 'forged'
            __str__ = __repr__
        class Real(float):
            def __repr__(self): return 'forged'
        def main_solution(a):
            return {Text('x'): 1, Number(3): 2, Real(0.5): 3}
        """,
        Outcome.OUTCOME_OK,
        output='{"x": 1, "3": 2, "0.5": 3}',
    ),
    Attack(
        "returns a dict whose items raise",
        """
        class Dict(dict):
            def items(self): raise KeyError('items')
        def main_solution(a):
            return Dict(a=1)
        """,
        Outcome.OUTCOME_RAISED,
        or_else=(Outcome.OUTCOME_OK,),  # where the encoder does not ask for `items`
    ),
    Attack(
        "returns a dict whose items never end",
        """
        class Dict(dict):
            def items(self):
                while True:
                    yield 'a', 1
        def main_solution(a):
            return Dict(a=1)
        """,
        Outcome.OUTCOME_MEMORY,
        or_else=(Outcome.OUTCOME_OK, Outcome.OUTCOME_CPU_TIMEOUT, Outcome.OUTCOME_RAISED),
    ),
    Attack(
        "returns what pretends to be of another class",
        """
        class Pretender:
            @property
            def __class__(self): raise SystemExit('class')
            def __eq__(self, other): raise SystemExit
            def __hash__(self): raise SystemExit
            def __repr__(self): raise SystemExit
        def main_solution(a):
            return [Pretender()]
        """,
        Outcome.OUTCOME_NOT_JSON,
        or_else=(Outcome.OUTCOME_EXITED,),  # where the encoder asks for the class
    ),
    Attack(
        "returns what has a name that is none",
        """
        class Meta(type):
            @property
            def __name__(cls): raise RuntimeError('name')
        class Thing(metaclass=Meta):
            pass
        def main_solution(a):
            return Thing()
        """,
        Outcome.OUTCOME_NOT_JSON,
        # Where the library asks for that name to say so.
        or_else=(Outcome.OUTCOME_RAISED,),
    ),
    Attack(
        "returns what misbehaves when it is deleted",
        """
        import os
        class Thing:
            def __del__(self): raise RuntimeError('del')
        def main_solution(a):
            return Thing() and 1
        """,
        Outcome.OUTCOME_OK,
        output="1",
    ),
    Attack(
        "returns what was pickled to run on loading",
        """
        import os, pickle
        class Bomb:
            def __reduce__(self): return os.system, ('echo left > /tmp/left',)
        def main_solution(a):
            return pickle.loads(pickle.dumps(Bomb())) != 0
        """,
        Outcome.OUTCOME_OK,
        or_else=(Outcome.OUTCOME_RAISED,),  # how the C library says that it may not fork
        effects=("process",),
    ),
)

# (name, body of the exception's class, expression that makes it)
EXCEPTIONS = (
    ("cannot be printed", "def __str__(self): raise RuntimeError", "Evil()"),
    ("prints itself for no end", "def __str__(self): return str(self)", "Evil()"),
    ("ends the process when printed", "def __str__(self): raise SystemExit(3)", "Evil()"),
    ("prints what is no text", "def __str__(self): return 5", "Evil()"),
    ("prints half a surrogate pair", "def __str__(self): return '\\ud800'", "Evil()"),
    ("prints text of its own kind", "def __str__(self): return Text('x')", "Evil()"),
    ("prints a hundred megabytes", "def __str__(self): return 'x' * 10**8", "Evil()"),
    (
        "hides its traceback",
        "__traceback__ = property(lambda self: 1 // 0)",
        "Evil()",
    ),
    (
        "raises at every question",
        "def __getattribute__(self, name): raise RuntimeError(name)",
        "Evil()",
    ),
    ("has causes in a cycle", "def __init__(self): self.__context__ = self", "Evil()"),
)

RAISED = (
    Attack(
        "raises",
        "def main_solution(a):\n    return 1 // 0\n",
        Outcome.OUTCOME_RAISED,
        error_type="ZeroDivisionError",
    ),
    *(
        Attack(
            f"raises what {name}",
            f"""
            class Text(str):
                def __len__(self): raise RuntimeError('len')
                __getitem__ = __str__ = __len__
            class Evil(Exception):
                {body}
            def main_solution(a):
                raise {made}
            """,
            Outcome.OUTCOME_RAISED,
            error_type="Evil",
        )
        for name, body, made in EXCEPTIONS
    ),
    Attack(
        "raises what has a name that is none",
        """
        class Meta(type):
            __name__ = property(lambda cls: 1 // 0)
        class Evil(Exception, metaclass=Meta):
            pass
        def main_solution(a):
            raise Evil
        """,
        Outcome.OUTCOME_RAISED,
    ),
    Attack(
        "raises what has a name that is an object",
        """
        class Meta(type):
            __name__ = property(lambda cls: object())
        class Evil(Exception, metaclass=Meta):
            pass
        def main_solution(a):
            raise Evil
        """,
        Outcome.OUTCOME_RAISED,
    ),
    Attack(
        "raises a syntax error in no line",
        """
        def main_solution(a):
            error = SyntaxError('x')
            error.lineno = object()
            raise error
        """,
        Outcome.OUTCOME_RAISED,
        error_type="SyntaxError",
    ),
    Attack(
        "raises a syntax error in a line too far",
        """
        def main_solution(a):
            error = SyntaxError('x')
            error.lineno = 2**80
            raise error
        """,
        Outcome.OUTCOME_RAISED,
        error_type="SyntaxError",
    ),
    *(
        Attack(
            f"raises {name}",
            f"def main_solution(a):\n    raise {name}('x')\n",
            Outcome.OUTCOME_RAISED,
            error_type=name,
        )
        for name in ("KeyboardInterrupt", "GeneratorExit", "BaseException", "StopIteration")
    ),
    Attack(
        "raises a class of its own above all others",
        """
        class Evil(BaseException):
            pass
        def main_solution(a):
            raise Evil('x')
        """,
        Outcome.OUTCOME_RAISED,
        error_type="Evil",
    ),
    Attack(
        "raises the guest's own sign of a flood",
        """
        import sys
        def main_solution(a):
            raise sys.modules['child'].Flood
        """,
        Outcome.OUTCOME_OUTPUT_FLOOD,
    ),
    Attack(
        "raises a memory error without need",
        "def main_solution(a):\n    raise MemoryError\n",
        Outcome.OUTCOME_MEMORY,
    ),
    Attack(
        "calls exit",
        "import sys\ndef main_solution(a):\n    sys.exit('bye')\n",
        Outcome.OUTCOME_EXITED,
        error_type="SystemExit",
    ),
)

ARGUMENTS = (
    *(
        Attack(
            f"leaves in its arguments {name}",
            f"""
            class Evil(dict):
                def items(self): {body}
                __iter__ = keys = __len__ = items
            def main_solution(a):
                a.append(Evil(x=1))
                return 1
            """,
            Outcome.OUTCOME_OK,
            output="1",
        )
        for name, body in (
            ("a dict that raises", "raise KeyError('x')"),
            ("a dict that interrupts", "raise KeyboardInterrupt"),
            ("a dict that exits", "raise SystemExit"),
        )
    ),
    Attack(
        "leaves in its arguments a cycle",
        "def main_solution(a):\n    a.append(a)\n    return 1\n",
        Outcome.OUTCOME_OK,
        output="1",
    ),
    Attack(
        "leaves in its arguments half a surrogate pair",
        "def main_solution(a):\n    a.append('\\ud800')\n    return 1\n",
        Outcome.OUTCOME_OK,
        output="1",
    ),
)

ATTACKS = (*RESULTS, *RAISED, *ARGUMENTS)
