"""Attacks on a call that is traced: it must end as it does when it is not."""

from __future__ import annotations

from codeio.v1.execution_pb2 import Outcome
from tests.executor.attacks.attack import Attack

STEPS = 200

# (name, code, outcome, output)
PROGRAMS = (
    (
        "loops for ever while traced",
        "def main_solution(a):\n    while True:\n        pass\n",
        Outcome.OUTCOME_CPU_TIMEOUT,
        None,
    ),
    (
        "stops its tracing",
        "import sys\ndef main_solution(a):\n    sys.settrace(None)\n    x = 1\n    return x\n",
        Outcome.OUTCOME_OK,
        "1",
    ),
    (
        "traces itself by what raises",
        """
        import sys
        def tracer(*_):
            raise RuntimeError('traced')
        def f():
            return 1
        def main_solution(a):
            sys.settrace(tracer)
            return f()
        """,
        Outcome.OUTCOME_RAISED,
        None,
    ),
    (
        "breaks the recorder from its frame",
        """
        import sys
        def main_solution(a):
            recorder = sys._getframe(1).f_locals['self']
            recorder.steps = recorder.frames = None
            return 1
        """,
        # It is the recorder's own word that it destroys: no trace, or an error.
        Outcome.OUTCOME_RAISED,
        None,
    ),
    (
        "makes huge values at each step",
        """
        def main_solution(a):
            x = ['y' * 10**5] * 100
            for i in range(10**4):
                x = x + [x]
                x = x[-200:]
            return len(x)
        """,
        Outcome.OUTCOME_OK,
        "200",
    ),
    (
        "has a variable of a million digits",
        "def main_solution(a):\n    x = 10**10**6\n    y = x + 1\n    return y - x\n",
        Outcome.OUTCOME_OK,
        "1",
    ),
    (
        "has a variable that raises when looked at",
        """
        class Evil:
            @property
            def __class__(self): raise RuntimeError('class')
            @property
            def __dict__(self): raise RuntimeError('dict')
            def __repr__(self): raise RuntimeError('repr')
            def __eq__(self, other): raise RuntimeError('eq')
            def __getattribute__(self, name): raise RuntimeError(name)
        def main_solution(a):
            x = Evil()
            y = [x]
            return len(y)
        """,
        Outcome.OUTCOME_OK,
        "1",
    ),
    (
        "has a class whose module is no text",
        """
        class Evil:
            __module__ = []
        def main_solution(a):
            x = Evil()
            return 1
        """,
        Outcome.OUTCOME_OK,
        "1",
    ),
    (
        "has a class that passes for the library's",
        """
        calls = 0
        class Evil:
            def __repr__(self):
                global calls
                calls += 1
                return 'x'
        Evil.__module__ = 'decimal'
        def main_solution(a):
            x = Evil()
            y = [x]
            return calls
        """,
        Outcome.OUTCOME_OK,
        "0",
    ),
    (
        "has a class whose name raises",
        """
        class Meta(type):
            @property
            def __name__(cls): raise RuntimeError('name')
        class Evil(metaclass=Meta):
            pass
        def main_solution(a):
            x = Evil()
            return 1
        """,
        Outcome.OUTCOME_OK,
        "1",
    ),
    (
        "has global names that are no text",
        "globals()[1] = 2\ndef main_solution(a):\n    return 1\n",
        Outcome.OUTCOME_OK,
        "1",
    ),
    (
        "has an entry point whose globals are its own",
        """
        class Entry:
            __globals__ = 5
            def __call__(self, a): return 1
        main_solution = Entry()
        """,
        Outcome.OUTCOME_OK,
        "1",
    ),
    (
        "takes the names of the tracer's own parts",
        """
        class Recorder:
            pass
        class Activation(Recorder):
            pass
        _recorder = value_probe = test_probe = on_event = Known = Recorder()
        def encode(value):
            return value_probe
        def main_solution(a):
            self = frame = event = argument = a
            return [x for x in self if x][:1]
        """,
        Outcome.OUTCOME_OK,
        "[1]",
    ),
    (
        "counts how often it is asked for its class",
        """
        calls = 0
        class Evil:
            @property
            def __class__(self):
                global calls
                calls += 1
                return Evil
        def main_solution(a):
            x = Evil()
            y = [x, {'z': x}]
            return calls
        """,
        Outcome.OUTCOME_OK,
        "0",
    ),
    (
        "counts how often its class is hashed and compared",
        """
        calls = []
        class Meta(type):
            def __hash__(cls):
                calls.append('hash')
                return hash(int)
            def __eq__(cls, other):
                calls.append('eq')
                return True
        class Evil(metaclass=Meta):
            pass
        def main_solution(a):
            calls.clear()
            x = Evil()
            y = [x, {'z': x}]
            x = Evil()
            return len(calls)
        """,
        Outcome.OUTCOME_OK,
        "0",
    ),
    (
        "has a time zone that is printed with a time",
        """
        import datetime
        calls = []
        class Zone(datetime.tzinfo):
            def __repr__(self):
                calls.append(1)
                return 'zone'
        def main_solution(a):
            x = datetime.datetime(2020, 1, 2, tzinfo=Zone())
            y = [x]
            return len(calls)
        """,
        Outcome.OUTCOME_OK,
        "0",
    ),
    (
        "ends the process when it is looked at",
        """
        class Evil:
            @property
            def __class__(self):
                raise SystemExit(3)
        def main_solution(a):
            x = Evil()
            return 1
        """,
        Outcome.OUTCOME_OK,
        "1",
    ),
    (
        "has an entry point whose globals raise",
        """
        class Entry:
            @property
            def __globals__(self):
                raise RuntimeError('globals')
            def __call__(self, a):
                return 1
        main_solution = Entry()
        """,
        Outcome.OUTCOME_OK,
        "1",
    ),
    (
        "takes the names of the probes",
        """
        def main_solution(a):
            __codeio_value__ = __codeio_test__ = None
            return [x for x in a if x][:1]
        """,
        Outcome.OUTCOME_OK,
        "[1]",
    ),
    (
        "patches the tracer",
        """
        import sys
        tracer = sys.modules['tracer']
        def lie(*_, **__):
            raise KeyboardInterrupt
        def main_solution(a):
            tracer.encode = tracer.Activation = tracer.Known = tracer.Recorder.finish = lie
            x = a
            return 1
        """,
        Outcome.OUTCOME_RAISED,
        None,
    ),
    (
        "has a generator that never ends while traced",
        """
        def numbers():
            while True:
                yield 1
        def main_solution(a):
            for _ in numbers():
                pass
        """,
        Outcome.OUTCOME_CPU_TIMEOUT,
        None,
    ),
    (
        "replaces the probes",
        """
        import builtins
        def main_solution(a):
            builtins.__codeio_value__ = lambda *_: 666
            return a[0] + 1
        """,
        # A lie about its own call.
        Outcome.OUTCOME_OK,
        None,
    ),
    (
        "recurses without end while traced",
        "def main_solution(a):\n    return main_solution(a) + 1\n",
        Outcome.OUTCOME_RAISED,
        None,
    ),
    (
        "lets generators pile up",
        """
        def numbers():
            while True:
                yield from (yield 1) or [2]
        def main_solution(a):
            made = [numbers() for _ in range(5000)]
            return sum(map(next, made))
        """,
        Outcome.OUTCOME_OK,
        "5000",
    ),
)

ATTACKS = tuple(
    Attack(name, code, outcome, output=output, trace_steps=STEPS)
    for name, code, outcome, output in PROGRAMS
)
