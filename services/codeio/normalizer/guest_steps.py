"""Runs inside the sandbox, before `guest_trial`: how much derived code may do.

The limits decide which hypothesis is chosen, so they must not depend on how busy the
machine is, as processor time does (gVisor's clock runs ahead there). What is counted
are steps: calls of the code's own functions and rounds of its own loops. Time is only
a backstop, for what can be long within one step.
"""

import ast
import contextlib
import itertools
import operator
import signal
import time
from collections.abc import Iterator
from typing import Any, Never

STEP = "__step__"
_REPEATED = ast.FunctionDef | ast.AsyncFunctionDef | ast.For | ast.AsyncFor | ast.While


class TimeUp(BaseException):
    """Not an Exception, so that the code under trial hardly ever swallows it."""


class Counted(ast.NodeTransformer):
    """Makes every function and every loop count its steps; no line changes its number."""

    def visit(self, node: Any) -> Any:
        self.generic_visit(node)
        if isinstance(node, _REPEATED):
            first = node.body[0]
            at = int(isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant))
            place = node.body[min(at, len(node.body) - 1)]
            node.body.insert(at, ast.copy_location(ast.Expr(_step(place)), place))
        elif isinstance(node, ast.Lambda):
            both = ast.BoolOp(ast.And(), [_step(node.body), node.body])
            node.body = ast.copy_location(both, node.body)
        elif isinstance(node, ast.comprehension):
            node.ifs.insert(0, _step(node.target))
        return node


def _step(place: ast.AST) -> ast.expr:
    call = ast.Call(ast.Name(STEP, ast.Load()), [], [])
    return ast.fix_missing_locations(ast.copy_location(call, place))


def counted(source: str, name: str) -> Any:
    """Compile code that counts its steps; `limited` must surround whatever it does."""
    return compile(Counted().visit(ast.parse(source)), name, "exec")


class _Over:
    def __iter__(self) -> "_Over":
        return self

    def __next__(self) -> Never:
        raise TimeUp


class _Taken:
    steps = 0


@contextlib.contextmanager
def limited(namespace: dict[str, Any], steps: int, seconds: float) -> Iterator[None]:
    """Raise TimeUp once counted code has taken its steps or time, even if it swallows that."""
    left = iter(range(1, steps))

    def raise_time_up(_signal: int, _frame: Any) -> None:
        raise TimeUp

    # A call that enters no frame costs no more than a line of the code itself.
    namespace[STEP] = itertools.chain(left, _Over()).__next__
    signal.signal(signal.SIGVTALRM, raise_time_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds, 0.05)
    try:
        yield
        if not operator.length_hint(left):
            raise TimeUp
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        _Taken.steps += steps - operator.length_hint(left)


class Allowance:
    """What several calls may use together, from now on."""

    def __init__(self, steps: int, seconds: float) -> None:
        self._steps = _Taken.steps + steps
        self._seconds = time.process_time() + seconds

    @property
    def used_up(self) -> bool:
        return _Taken.steps > self._steps or time.process_time() > self._seconds
