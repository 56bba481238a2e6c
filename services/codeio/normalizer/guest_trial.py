"""Runs inside the sandbox: tries hypotheses about the inputs of units.

This text is sent to the guest behind `guest_values` and `guest_steps`, with `JOBS` set behind
it; it imports the standard library only. Derived code is executed here and nowhere else.
"""

# ruff: noqa: BLE001, S102, S311, TRY301  (executing other people's code is its purpose)

import contextlib
import io
import json
import math
import random
import sys
from collections.abc import Iterator
from typing import Any

from codeio.normalizer.guest_steps import Allowance, TimeUp, counted, limited
from codeio.normalizer.guest_values import VALUE_BYTES, NotJson, dump, encode, fits, small

JOBS: list[dict[str, Any]] = []

# Steps and, for what is long within a step, processor seconds: of one call while hypotheses
# are compared, of one call of the best one, of all calls to choose a unit's, of all calls of one
# program, and of all units of a file. The seconds of a unit and of a program are together below
# what one call of this text may use.
SCREEN = 40_000, 0.4
CALL = 120_000, 0.8
UNIT = 300_000, 1.5
PROGRAM = 600_000, 2.0
FILE = 3_000_000, 12.0
SCREEN_SEEDS = 6
WHOLE_FILE = Allowance(*FILE)


def trial(index: int) -> dict[str, Any]:
    """Answer a job: find the best hypothesis about a unit, or run a finished program."""
    job = JOBS[index]
    if "program" in job:
        return confirm(job)
    bench = Bench(job["closure"])
    first, end = job["seeds"]
    best, best_value, of_unit = -1, -9.0, Allowance(*UNIT)
    for position, hypothesis in enumerate(job["hypotheses"]):
        records = bench.run(
            hypothesis,
            seeds=range(first, first + SCREEN_SEEDS),
            examples=[],
            allowance=of_unit,
            call=SCREEN,
        )
        value, good = bench.rate(records, hypothesis["cost"])
        if value > best_value:
            best, best_value = position, value
        if good or of_unit.used_up or WHOLE_FILE.used_up:
            break
    if best < 0:
        return {"best": -1, "records": [], "errors": bench.errors, "coverage": 0.0}
    chosen = job["hypotheses"][best]
    records = bench.run(
        chosen,
        seeds=range(first, end),
        examples=job["examples"],
        allowance=Allowance(*PROGRAM),
        call=CALL,
    )
    return {
        "best": best,
        "records": records,
        "errors": bench.errors,
        "coverage": bench.coverage(records),
    }


def load(line: str) -> None:
    """Execute an import, so that later ones find it loaded."""
    with contextlib.suppress(BaseException), silenced():
        exec(line, {"__name__": "program"})


def confirm(job: dict[str, Any]) -> dict[str, Any]:
    """Run a finished program on inputs; return the outputs, null where it fails."""
    namespace: dict[str, Any] = {"__name__": "program"}
    outputs: list[str | None] = []
    code = counted(job["program"], "program")
    try:
        with limited(namespace, *PROGRAM), silenced():
            exec(code, namespace)
    except BaseException as error:
        return {"outputs": [], "error": f"{type(error).__name__}: {error}"}
    failure = ""
    of_program = Allowance(*PROGRAM)
    for text in job["inputs"]:
        try:
            if of_program.used_up:
                raise TimeUp
            with limited(namespace, *CALL), silenced():
                result = namespace["main_solution"](**json.loads(text))
                outputs.append(json.dumps(result, ensure_ascii=False, allow_nan=False))
        except BaseException as error:
            failure = f"{type(error).__name__}: {error}"
            outputs.append(None)
    return {"outputs": outputs, "error": failure}


class Bench:
    """Runs one unit under hypotheses about its inputs, and sees which lines they reach."""

    def __init__(self, closure: str) -> None:
        self.closure = counted(closure, "closure")
        self.lines = {line for code in functions_in(self.closure) for line in lines_of(code)}
        self.errors: dict[str, int] = {}
        self.unseen: dict[Any, set[int]] = {}

    def run(
        self,
        hypothesis: dict[str, Any],
        *,
        seeds: range,
        examples: list[Any],
        allowance: Allowance,
        call: tuple[int, float],
    ) -> list[dict[str, Any]]:
        """Return what came of each input, within the steps and seconds of each `call`."""
        namespace: dict[str, Any] = {"__name__": "program"}
        generator: dict[str, Any] = {}
        try:
            with limited(namespace, *UNIT), silenced():
                exec(self.closure, namespace)
                exec(hypothesis["caller"], namespace)
                exec(hypothesis["generator"], generator)
        except BaseException as error:
            self.note(error)
            return [{"error": type(error).__name__}]
        self.unseen = {}
        records: list[dict[str, Any]] = []
        sources = [("seed", seed) for seed in seeds]
        sources += [("example", example) for example in examples]
        slow = 0
        for kind, source in sources:
            try:
                inputs = source
                if kind == "seed":
                    inputs = generator["generate_inputs"](random.Random(source))
                text = dump(inputs)
                if not small(inputs) or len(text.encode()) > VALUE_BYTES:
                    raise NotJson("the input is too large")
                record = self.call(namespace, text, call)
            except BaseException as error:
                self.note(error)
                record = {"error": type(error).__name__}
                slow += isinstance(error, TimeUp)
            records.append({**record, "example": kind == "example"})
            if slow >= 2 or allowance.used_up:
                break
        return records

    def call(
        self, namespace: dict[str, Any], text: str, limits: tuple[int, float]
    ) -> dict[str, Any]:
        """Make one call; note what it returned, printed and changed, null where that is no use."""
        inputs = json.loads(text)
        arguments: dict[str, Any] = {}
        printed = io.StringIO()
        kinds: set[str] = set()
        unusable = ""
        with limited(namespace, *limits), contextlib.redirect_stdout(printed), self.watched():
            result = namespace["call"](arguments, **inputs)
            try:
                returned = dump(encode(result, kinds, top=True))
            except (NotJson, ValueError) as error:
                unusable, returned = str(error), "null"
        lines = printed.getvalue().splitlines()
        record: dict[str, Any] = {
            "input": text,
            "kinds": sorted(kinds),
            "returned": returned if fits(returned) else None,
            "printed": "\n".join(lines) if fits(dump(lines)) else None,
            "changed": {},
            "unusable": unusable,
        }
        before = json.loads(text)
        for name, value in arguments.items():
            changed_kinds: set[str] = set()
            try:
                after = dump(encode(value, changed_kinds, top=True))
            except (NotJson, ValueError, RecursionError):
                continue
            if after != dump(before.get(name)) and fits(after):
                record["changed"][name] = {"value": after, "kinds": sorted(changed_kinds)}
        if unusable and not lines and not record["changed"]:
            raise NotJson(unusable)
        return record

    def rate(self, records: list[dict[str, Any]], cost: float) -> tuple[float, bool]:
        """Return how good a hypothesis looks, and whether it is good enough to look no further."""
        total = len(records)
        fine = [record for record in records if "error" not in record]
        variety, present, both = 0.0, 0, False
        for view in VIEWS:
            counts: dict[str | None, int] = {}
            for record in fine:
                output = view(record)
                counts[output] = counts.get(output, 0) + 1
            variety = perplexity(list(counts.values()))
            present = sum(count for output, count in counts.items() if output is not None)
            both = counts.keys() == {"true", "false"} and min(counts.values()) > 1
            if present and variety > 1.2:
                break
        # Inputs that come again and calls that never end are of no use.
        share = len({record["input"] for record in fine}) / total
        endless = sum(record.get("error") == "TimeUp" for record in records)
        kept = present / total
        coverage = self.coverage(records)
        same = sum(gives_back(record) for record in fine)
        if same > 0.8 * total:
            return share - 1.0, False
        value = share + 0.5 * kept + (math.log(variety) / math.log(total) if variety > 1 else -1.0)
        enough = both or variety >= 0.55 * total
        good = total >= SCREEN_SEEDS and share == 1.0 and enough and coverage > 0.9
        return value + 0.8 * coverage - 0.12 * cost - 0.4 * endless, good

    def coverage(self, records: list[dict[str, Any]]) -> float:
        """Return the share of the functions' lines that the last run reached."""
        if not records or not self.lines:
            return 0.0
        seen = {
            line
            for code, unseen in self.unseen.items()
            for line in lines_of(code)
            if line not in unseen
        }
        return len(seen) / len(self.lines)

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Note the lines of the unit that are reached; frames with nothing new run unwatched."""

        def on_call(frame: Any, _event: str, _argument: Any) -> Any:
            code = frame.f_code
            if code.co_filename != "closure":
                return None
            unseen = self.unseen.get(code)
            if unseen is None:
                unseen = self.unseen[code] = lines_of(code)
            if not unseen:
                return None

            def on_line(frame: Any, _event: str, _argument: Any) -> Any:
                unseen.discard(frame.f_lineno)
                return on_line if unseen else None

            return on_line

        sys.settrace(on_call)
        try:
            yield
        finally:
            sys.settrace(None)

    def note(self, error: BaseException) -> None:
        text = f"{type(error).__name__}: {error}"[:120]
        if len(self.errors) < 12 or text in self.errors:
            self.errors[text] = self.errors.get(text, 0) + 1


VIEWS = (
    lambda record: record["returned"],
    lambda record: json.dumps(record["changed"], sort_keys=True) if record["changed"] else None,
    lambda record: record["printed"] or None,
)


def gives_back(record: dict[str, Any]) -> bool:
    """Tell whether a result is one of the inputs."""
    output = record["returned"]
    return output is not None and output in [dump(v) for v in json.loads(record["input"]).values()]


def functions_in(code: Any) -> list[Any]:
    """Return the code of all functions and methods below a module's, classes' bodies aside."""
    found = []
    for constant in code.co_consts:
        if hasattr(constant, "co_code"):
            inner = functions_in(constant)
            is_class = "__qualname__" in constant.co_names and "__module__" in constant.co_names
            found += inner if is_class else [constant, *inner]
    return found


def lines_of(code: Any) -> set[int]:
    return {line for _, _, line in code.co_lines() if line and line != code.co_firstlineno}


def perplexity(counts: list[int]) -> float:
    total = sum(counts)
    if not total:
        return 0.0
    return math.exp(-sum(n / total * math.log(n / total) for n in counts))


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
