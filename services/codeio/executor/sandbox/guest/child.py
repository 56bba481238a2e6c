"""The child of one job: loads a program, makes its calls, reports each, ends.

All that is reported from here is the program's word about itself: it shares
the process and can change anything in it. Nothing outside believes more.
"""

import contextlib
import gc
import importlib
import io
import json
import os
import random
import site
import sys
import time
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any, NoReturn, TypeAlias

import clocks
import effects
from isolation import DESCRIPTORS
from protocol import RESULT, write_frame

FILENAME = "<program>"
RESULTS = 3  # the descriptor for reports
TAKES_REST = 0x04  # flag of a code object: it has *args

Fields: TypeAlias = dict[str, Any]
Limits: TypeAlias = dict[str, Any]

# What an interpreter has imported ahead of time, by the bits of its number from the
# third on. All its memory is compared after each job, so the first one has what most
# programs use and no more.
CORE = (
    "abc", "bisect", "collections", "copy", "datetime", "decimal", "enum", "functools", "heapq",
    "itertools", "json", "math", "operator", "random", "re", "string", "typing",
)  # fmt: skip
LIBRARY = (
    "argparse", "array", "ast", "base64", "calendar", "cmath", "csv", "dataclasses", "difflib",
    "fractions", "hashlib", "html", "inspect", "logging", "numbers", "pathlib", "pickle", "pprint",
    "queue", "secrets", "statistics", "tempfile", "textwrap", "threading", "tokenize", "traceback",
    "unittest", "urllib.parse", "uuid", "zlib",
)  # fmt: skip
IMPORTED = (
    CORE,
    (*CORE, *LIBRARY),
    (*CORE, "numpy"),
    (*CORE, *LIBRARY, "numpy", "scipy.optimize", "scipy.stats", "pandas", "sympy", "networkx"),
)


def warm_up(interpreter: int) -> None:
    """Import what programs commonly use, once, in the parent of all children."""
    # What Python sets up at its start when it is to read the machine's own packages as well.
    site.setquit()
    site.setcopyright()
    site.sethelper()
    for name in IMPORTED[interpreter >> 2]:
        importlib.import_module(name)
    if interpreter & 2:
        importlib.import_module("tracer")
    replica = interpreter & 1
    # A program that draws at random without a seed does so alike in every child of a
    # replica, and differently in the other one.
    random.seed(replica)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(replica)
    clocks.install(clocks.SHIFT_SECONDS if replica else 0, effects.note)
    sys.addaudithook(effects.hook)


def main(told: int, *, limits: Limits) -> NoReturn:
    """Do the job in the file `told` in this process, which is fresh from the fork, and end it."""
    try:
        scratch, _, job = os.pread(told, os.fstat(told).st_size, 0).partition(b"\0")
        # From here on it has its standard streams and the way for reports, and nothing else.
        os.closerange(RESULTS + 1, DESCRIPTORS)
        if scratch:
            os.chdir(scratch)
        run(json.loads(job), limits)
    except BaseException as error:  # noqa: BLE001  (the last resort of a process about to end)
        os.write(2, repr(error).encode())
    finally:
        os._exit(0)


def report(fields: Fields) -> None:
    # ASCII escapes: a lone surrogate in a message must not break the report.
    write_frame(RESULTS, RESULT, 0, json.dumps(fields).encode())


class Flood(BaseException):
    """The program printed more than it may."""


class Printed(io.BytesIO):
    """What one call prints, up to the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def close(self) -> None:
        """Stay open, whatever the program does to its standard output."""

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > self.limit:
            raise Flood
        return super().write(data)


def run(job: Fields, limits: Limits) -> None:
    gc.enable()  # the interpreter itself does without
    effects.taken()
    traced = bool(job["trace_steps"])
    outcome, function = load(job, limits, traced=traced)
    report({**(outcome or {"outcome": "OK"}), "effects": effects.taken()})
    if outcome is not None:
        return
    for number, call in enumerate(job["calls"]):
        if number and traced:
            # A trace must not depend on what earlier calls left behind, such as a cache.
            _, function = load(job, limits, traced=True)
        report(make_call(function, call, job["trace_steps"], limits))


def load(job: Fields, limits: Limits, *, traced: bool) -> tuple[Fields | None, Any]:
    """Execute the program's top level in a fresh namespace.

    Returns an outcome if it failed, and else its entry point.
    """
    code, entry_point = job["code"], job["entry_point"]
    # An empty one, as whoever uses the program later has it: even its name is not set.
    namespace: Fields = {}
    sys.argv = ["program"]
    redirect("", limits)
    if "pandas" in code:
        clocks.restore_dates()
    try:
        if traced:
            compiled = sys.modules["tracer"].compile_program(code, FILENAME)
        else:
            compiled = compile(code, FILENAME, "exec", dont_inherit=True)
        exec(compiled, namespace)  # noqa: S102  (it is what we are for)
        if entry_point in namespace:
            return None, namespace[entry_point]
    except Flood:
        return {"outcome": "OUTPUT_FLOOD", "error_message": "while loading"}, None
    except MemoryError:
        return {"outcome": "MEMORY", "error_message": "while loading"}, None
    except BaseException as error:  # noqa: BLE001
        return {"outcome": "LOAD_FAILED", **describe(error)}, None
    return {
        "outcome": "LOAD_FAILED",
        "error_type": "NameError",
        "error_message": f"the program does not define {entry_point}",
    }, None


def make_call(
    function: Callable[..., Any], call: Fields, trace_steps: int, limits: Limits
) -> Fields:
    """Make one call and describe how it went."""
    text = call.get("input_json")
    arguments: tuple[Any, ...] = ()
    keywords: Fields = {}
    printed = redirect(call.get("stdin", ""), limits)
    recorder = sys.modules["tracer"].Recorder(FILENAME, trace_steps) if trace_steps else None
    started = time.process_time()
    try:
        if text is not None:
            with integers_of_any_size():
                keywords = json.loads(text)
        if "seed" in call:
            arguments = seed_generators(function, call["seed"])
        if recorder is not None:
            value = recorder.call(function, keywords)
        else:
            value = function(*arguments, **keywords)
        result = serialise(value, limits)
    except Flood:
        result = {"outcome": "OUTPUT_FLOOD", "error_message": "printed more than the limit"}
    except MemoryError:
        result = {
            "outcome": "MEMORY",
            "error_type": "MemoryError",
            "error_message": "out of memory",
        }
    except SystemExit as error:
        result = {"outcome": "EXITED", **describe(error)}
    except BaseException as error:  # noqa: BLE001
        result = {"outcome": "RAISED", **describe(error)}
    result["cpu_seconds"] = time.process_time() - started
    result["stdout"] = printed.getvalue()[: 1 << 16].decode("utf-8", "replace")
    result["effects"] = effects.taken()
    if recorder is not None:
        result["trace_json"] = recorder.to_json()
    if text is not None:
        result.update(changes(text, keywords))
    return result


def redirect(text: str, limits: Limits) -> Printed:
    """Give the program fresh standard streams; return what collects its output."""
    printed = Printed(limits["output_bytes"])
    sys.stdin = io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8")
    sys.stdout = io.TextIOWrapper(printed, encoding="utf-8", errors="replace", write_through=True)
    sys.stderr = io.TextIOWrapper(
        Printed(limits["output_bytes"]), encoding="utf-8", errors="replace", write_through=True
    )
    return printed


def seed_generators(function: Callable[..., Any], seed: int) -> tuple[Any, ...]:
    """Seed an input generator; return the arguments that its form asks for."""
    code = getattr(function, "__code__", None)
    if type(code) is not CodeType or code.co_argcount or code.co_flags & TAKES_REST:
        return (random.Random(seed),)  # noqa: S311
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed % 2**32)
    return ()


@contextlib.contextmanager
def integers_of_any_size() -> Iterator[None]:
    """Lift the limit on the digits of integers for our own reading and writing of JSON."""
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        yield
    finally:
        sys.set_int_max_str_digits(limit)


def serialise(value: object, limits: Limits) -> Fields:
    try:
        with integers_of_any_size():
            text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        return {**describe(error), "outcome": "NOT_JSON", "error_type": name_of(type(value))}
    if len(text) > limits["output_bytes"]:
        return {"outcome": "TOO_LARGE", "error_message": f"the result has {len(text)} characters"}
    return {"outcome": "OK", "output_json": text}


def changes(before: str, keywords: Fields) -> Fields:
    """Tell whether the arguments are no longer what they were, and what they are now."""
    try:
        with integers_of_any_size():
            after = json.dumps(keywords, ensure_ascii=False, allow_nan=False)
            if after == before or after == json.dumps(json.loads(before), ensure_ascii=False):
                return {}
        after.encode()
    except BaseException:  # noqa: BLE001  (what is in there now may be of the program's classes)
        return {"mutated_arguments": True}
    return {"mutated_arguments": True, "arguments_after_json": after[: 1 << 16]}


def describe(error: BaseException) -> Fields:
    """Describe an exception whose class may be the program's own and misbehave when asked."""
    try:
        message = exact(str(error))
    except BaseException as nested:  # noqa: BLE001
        message = f"its message raised {name_of(type(nested))}"
    return {
        "error_type": name_of(type(error)),
        "error_message": clip(message),
        "error_line": line_of(error),
    }


# Read where the interpreter keeps them: a class may have put something else in their place.
_NAME = type.__dict__["__name__"]
_TRACEBACK = BaseException.__dict__["__traceback__"]
_LINE = SyntaxError.__dict__["lineno"]


def name_of(kind: type) -> str:
    return clip(exact(_NAME.__get__(kind)), 200)


def line_of(error: BaseException) -> int:
    """Return the line of the program that an exception came from; 0 when there is none."""
    line: object = 0
    step = _TRACEBACK.__get__(error)
    while step is not None:
        if step.tb_frame.f_code.co_filename == FILENAME:
            line = step.tb_lineno
        step = step.tb_next
    if SyntaxError in type.__dict__["__mro__"].__get__(type(error)):
        line = _LINE.__get__(error)
    return line if type(line) is int and 0 <= line < 1 << 31 else 0


def exact(text: str) -> str:
    """Return a text that is of the plain type, and that UTF-8 can hold."""
    return str.__str__(text).encode("utf-8", "backslashreplace").decode()


def clip(text: str, size: int = 500) -> str:
    return text if len(text) <= size else text[: size - 1] + "…"
