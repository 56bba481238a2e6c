"""Runs inside the sandbox: tries hypotheses about the inputs of units.

This text is sent to the guest with `JOBS` defined behind it; it imports the
standard library only. Derived code is executed here and nowhere else.
"""

# ruff: noqa: BLE001, S102, S311, TRY301  (executing other people's code is its purpose)

import contextlib
import io
import json
import math
import random
import signal
from collections.abc import Iterator
from typing import Any

JOBS: list[dict[str, Any]] = []

# Spelt in two parts: the name in a job's code asks for the interpreter that has it loaded.
NUMERIC = "num" + "py"

SCREEN_SECONDS = 0.12
CALL_SECONDS = 0.4
UNIT_TIMEOUTS = 6


class TimeUp(BaseException):
    """Not an Exception, so that the code under trial hardly ever swallows it."""


class NotJson(Exception):
    pass


def trial(index: int) -> dict[str, Any]:
    """Try all hypotheses of a job; return the best one with its records."""
    job = JOBS[index]
    if "program" in job:
        return confirm(job)
    closure = compile(job["closure"], "closure", "exec")
    best, best_value, timeouts = None, -9.0, 0
    errors: dict[str, int] = {}
    for position, hypothesis in enumerate(job["hypotheses"]):
        records = run(
            closure, hypothesis, seeds=range(6), examples=[], seconds=SCREEN_SECONDS, errors=errors
        )
        timeouts += sum(record.get("error") == "TimeUp" for record in records)
        value, good = rate(records, hypothesis["cost"])
        if value > best_value:
            best, best_value = position, value
        if good or timeouts >= UNIT_TIMEOUTS:
            break
    if best is None:
        return {"best": -1, "records": [], "errors": errors}
    chosen = job["hypotheses"][best]
    seeds, examples = range(job["seeds"]), job["examples"]
    records = run(
        closure, chosen, seeds=seeds, examples=examples, seconds=CALL_SECONDS, errors=errors
    )
    return {"best": best, "records": records, "errors": errors}


def confirm(job: dict[str, Any]) -> dict[str, Any]:
    """Run a finished program on inputs; return the outputs, null where it fails."""
    namespace: dict[str, Any] = {"__name__": "program"}
    outputs: list[str | None] = []
    code = compile(job["program"], "program", "exec")
    try:
        with limited(CALL_SECONDS * 4), silenced():
            exec(code, namespace)
    except BaseException as error:
        return {"outputs": [], "error": f"{type(error).__name__}: {error}"}
    failure = ""
    for text in job["inputs"]:
        try:
            with limited(CALL_SECONDS), silenced():
                result = namespace["main_solution"](**json.loads(text))
                outputs.append(json.dumps(result, ensure_ascii=False, allow_nan=False))
        except BaseException as error:
            failure = f"{type(error).__name__}: {error}"
            outputs.append(None)
    return {"outputs": outputs, "error": failure}


def run(  # noqa: PLR0913  (it goes no further than this file)
    closure: Any,
    hypothesis: dict[str, Any],
    *,
    seeds: range,
    examples: list[Any],
    seconds: float,
    errors: dict[str, int],
) -> list[dict[str, Any]]:
    namespace: dict[str, Any] = {"__name__": "program"}
    generator: dict[str, Any] = {}
    records: list[dict[str, Any]] = []
    try:
        with limited(CALL_SECONDS * 4), silenced():
            exec(closure, namespace)
            exec(hypothesis["caller"], namespace)
            exec(hypothesis["generator"], generator)
    except BaseException as error:
        note(errors, error)
        return [{"error": type(error).__name__}]
    slow = 0
    sources = [("example", example) for example in examples] + [("seed", seed) for seed in seeds]
    for kind, source in sources:
        try:
            inputs = (
                source if kind == "example" else generator["generate_inputs"](random.Random(source))
            )
            text = dump(inputs)
            if not small(inputs) or len(text.encode()) > 1024:
                raise NotJson("input too large")
            record = call(namespace, text, seconds)
            record["example"] = kind == "example"
        except BaseException as error:
            note(errors, error)
            record = {"error": type(error).__name__, "example": kind == "example"}
            slow += isinstance(error, TimeUp)
        records.append(record)
        if slow >= 2:
            break
    return records


def call(namespace: dict[str, Any], text: str, seconds: float) -> dict[str, Any]:
    inputs = json.loads(text)
    before = dump(inputs)
    arguments: dict[str, Any] = {}
    printed = io.StringIO()
    with limited(seconds), contextlib.redirect_stdout(printed):
        result = namespace["call"](arguments, **inputs)
        kinds: set[str] = set()
        encoded = encode(result, kinds, top=True)
    record: dict[str, Any] = {
        "input": before,
        "result": None,
        "printed": printed.getvalue()[:3000],
        "kinds": sorted(kinds),
    }
    if encoded is not None or result is not None:
        record["result"] = dump(encoded)
    changed: dict[str, Any] = {}
    for name, value in arguments.items():
        try:
            changed_kinds: set[str] = set()
            after = encode(value, changed_kinds, top=True)
            if dump(after) != dump(json.loads(before).get(name)):
                changed[name] = {"value": dump(after), "kinds": sorted(changed_kinds)}
        except (NotJson, ValueError, RecursionError):
            continue
    record["changed"] = changed
    record["fits"] = small(encoded) and len((record["result"] or "").encode()) <= 1024
    return record


def rate(records: list[dict[str, Any]], cost: float) -> tuple[float, bool]:
    """Return how good a hypothesis looks, and whether it is good enough to look no further."""
    total = len(records)
    best = (0.0, 0)
    fine = [record for record in records if "error" not in record]
    for view in (
        lambda r: r["result"] if r["fits"] else None,
        lambda r: json.dumps(r["changed"], sort_keys=True) if r["changed"] else None,
        lambda r: r["printed"] or None,
    ):
        outputs = [view(record) for record in fine]
        counts: dict[str | None, int] = {}
        for output in outputs:
            counts[output] = counts.get(output, 0) + 1
        present = sum(count for output, count in counts.items() if output is not None)
        variety = perplexity(list(counts.values()))
        if present and (variety, present) > best:
            best = (variety, present)
    variety, present = best
    share = len(fine) / total if total else 0.0
    kept = present / total if total else 0.0
    value = share + 0.5 * kept + (math.log(variety) / math.log(total) if variety > 1 else -1.0)
    return value - 0.12 * cost, total >= 6 and share == 1.0 and variety >= 0.55 * total


def perplexity(counts: list[int]) -> float:
    total = sum(counts)
    if not total:
        return 0.0
    return math.exp(-sum(n / total * math.log(n / total) for n in counts))


def encode(  # noqa: C901, PLR0912  (one case per type)
    value: Any, kinds: set[str], *, top: bool = False
) -> Any:
    """Turn a result into JSON; note in `kinds` every conversion that was needed."""
    where = "top" if top else "deep"
    if value is None or (isinstance(value, (bool, str)) and type(value) in (bool, str, type(None))):
        return value
    if type(value) is int:
        return value
    if isinstance(value, float) and type(value) is float:
        if math.isfinite(value):
            return value
        kinds.add(f"{where}:infinite")
        return str(value)
    if type(value) in (list, tuple):
        return [encode(item, kinds) for item in value]
    if isinstance(value, dict):
        made = {}
        for key, item in value.items():
            if isinstance(key, KEYS) and type(key).__module__ != NUMERIC:
                made[key] = encode(item, kinds)
            else:
                kinds.add(f"{where}:keys")
                made[str(key)] = encode(item, kinds)
        return made
    if isinstance(value, (set, frozenset)):
        kinds.add(f"{where}:set")
        items = [encode(item, kinds) for item in value]
        try:
            return sorted(items)
        except TypeError:
            raise NotJson("a set that has no order") from None
    module = type(value).__module__.split(".")[0]
    if module == NUMERIC and hasattr(value, "tolist"):
        kinds.add(f"{where}:array")
        return encode(value.tolist(), kinds)
    if isinstance(value, str):
        kinds.add(f"{where}:text")
        return str(value)
    if isinstance(value, int):
        kinds.add(f"{where}:int")
        return int(value)
    if isinstance(value, complex):
        kinds.add(f"{where}:complex")
        return [encode(value.real, kinds), encode(value.imag, kinds)]
    if isinstance(value, (bytes, bytearray)):
        kinds.add(f"{where}:bytes")
        return list(value)
    if module in ("fractions", "decimal", "datetime", "sympy"):
        kinds.add(f"{where}:text")
        return str(value)
    fields = getattr(value, "__dict__", None) or {
        name: getattr(value, name)
        for name in getattr(value, "__slots__", ())
        if hasattr(value, name)
    }
    if module == "program" and any(name in fields for name in ("left", "right")):
        kinds.add(f"{where}:tree")
        return encode_tree(value, kinds)
    if module == "program" and "next" in fields:
        kinds.add(f"{where}:linked")
        return encode_linked(value, kinds)
    if hasattr(value, "__next__") or type(value).__name__ in ITERABLES or module == "collections":
        kinds.add(f"{where}:iterable")
        items = []
        for item in value:
            items.append(encode(item, kinds))
            if len(items) > 200:
                raise NotJson("an iterator without end")
        return items
    if module == "program" and shows_itself(type(value)):
        kinds.add(f"{where}:text")
        return str(value)
    raise NotJson(f"a value of type {type(value).__name__}")


KEYS = (str, int, float, bool, type(None))
ITERABLES = {"range", "dict_keys", "dict_values", "dict_items", "deque"}


def shows_itself(kind: Any) -> bool:
    return kind.__str__ is not object.__str__ or kind.__repr__ is not object.__repr__


def encode_linked(node: Any, kinds: set[str]) -> list[Any]:
    found: list[Any] = []
    seen: set[int] = set()
    while node is not None and len(found) < 200:
        if id(node) in seen:
            raise NotJson("a linked list with a cycle")
        seen.add(id(node))
        found.append(encode(first_field(node, ("val", "value", "data", "key", "item")), kinds))
        node = node.next
    return found


def encode_tree(root: Any, kinds: set[str]) -> list[Any]:
    found: list[Any] = []
    level = [root]
    while any(node is not None for node in level):
        following = []
        for node in level:
            if node is None:
                found.append(None)
                continue
            found.append(encode(first_field(node, ("val", "value", "data", "key", "item")), kinds))
            following += [node.left, node.right]
        if len(found) > 200:
            raise NotJson("a tree that is too large")
        level = following
    while found and found[-1] is None:
        found.pop()
    return found


def first_field(node: Any, names: tuple[str, ...]) -> Any:
    for name in names:
        if hasattr(node, name):
            return getattr(node, name)
    raise NotJson(f"a node of type {type(node).__name__} without a value")


def dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def small(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) < 100
    if isinstance(value, (list, tuple)):
        return len(value) < 20 and all(small(item) for item in value)
    if isinstance(value, dict):
        return len(value) < 20 and all(small(item) for item in value.values())
    return True


def note(errors: dict[str, int], error: BaseException) -> None:
    text = f"{type(error).__name__}: {error}"[:120]
    if len(errors) < 12 or text in errors:
        errors[text] = errors.get(text, 0) + 1


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise TimeUp after so much processor time, and again shortly if that was swallowed."""

    def raise_time_up(_signal: int, _frame: Any) -> None:
        raise TimeUp

    signal.signal(signal.SIGVTALRM, raise_time_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds, 0.05)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
