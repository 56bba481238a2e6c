"""The claim check: what a rationale states, beside what the program did."""

from __future__ import annotations

import ast
from contextlib import suppress
from typing import TYPE_CHECKING

from codeio.runtime.trace import Source, parse_trace
from codeio.v1.execution_pb2 import Call, ExecuteRequest, Outcome
from codeio.v1.records_pb2 import Direction
from codeio.verifier.signature import parameters_of
from codeio.verifier.statements.actions import read_actions
from codeio.verifier.statements.candidates import Candidates, named_inputs
from codeio.verifier.statements.chains import read_chains
from codeio.verifier.statements.conditions import read_conditions
from codeio.verifier.statements.context import Context
from codeio.verifier.statements.corrections import answered, corrected, marked
from codeio.verifier.statements.counts import read_counts
from codeio.verifier.statements.evaluation import OPAQUE
from codeio.verifier.statements.foreign import read_foreign
from codeio.verifier.statements.gathering import Gatherer
from codeio.verifier.statements.judging import Statement, Support
from codeio.verifier.statements.lines import Line, cells, is_separator, lines
from codeio.verifier.statements.moments import Moments, read_label
from codeio.verifier.statements.occurrences import Occurrences
from codeio.verifier.statements.phrases import read_phrases
from codeio.verifier.statements.results import read_alone, read_announced, read_results
from codeio.verifier.statements.run import Run, loaded
from codeio.verifier.statements.sentences import sentences
from codeio.verifier.statements.sequences import read_sequences
from codeio.verifier.statements.tables import Column, Row, cell, column, judge_table
from codeio.verifier.statements.tokens import tokens
from codeio.verifier.statements.worded import read_worded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.runtime.stage import Sandbox
    from codeio.v1.execution_pb2 import CallResult
    from codeio.v1.records_pb2 import PredictionTask
    from codeio.verifier.statements.items import Item


async def check_rationale(
    sandbox: Sandbox,
    task: PredictionTask,
    rationale: str,
    *,
    trace_steps: int,
    input_json: str | None = None,
) -> list[Statement]:
    """Run the program on the task's input and judge what the rationale states about it.

    For an input prediction the program runs on `input_json`, the predicted input; without
    one, only arithmetic is judged.

    Raises:
        TransientError: the sandbox failed, not the program.
    """
    output_prediction = task.direction != Direction.DIRECTION_INPUT_PREDICTION
    given = task.pair.input_json if output_prediction else input_json
    try:
        source = Source(task.program.code)
    except ValueError:
        return []
    runs: list[Run] = []
    if given is not None:
        names = parameters_of(task.program).names
        others = [] if output_prediction else named_inputs(rationale, names, besides=given)
        response = await sandbox.execute(
            ExecuteRequest(
                code=task.program.code,
                entry_point=task.program.entry_point,
                calls=[Call(input_json=text) for text in (given, *others)],
                trace_steps=trace_steps,
                unlimited_sizes=True,
            )
        )
        runs = [run for result in response.results if (run := run_of(source, result))]
    return find_statements(rationale, source, runs, output_prediction=output_prediction)


def run_of(source: Source, result: CallResult) -> Run | None:
    """Return the run that a call's result shows, if its trace can be read."""
    try:
        trace = parse_trace(result.trace_json)
    except ValueError:
        return None
    returned = result.outcome == Outcome.OUTCOME_OK
    return Run(source, trace, output=loaded(result.output_json) if returned else OPAQUE)


def find_statements(
    rationale: str, source: Source, runs: Sequence[Run], *, output_prediction: bool
) -> list[Statement]:
    """Return the statements of a text about values, in order, each with its support.

    A pure function. The first of the `runs` is on the task's input, or the predicted one;
    of an input prediction the others are on further inputs that the text tries. Without any
    run, only arithmetic can be supported or contradicted.
    """
    context = Context(rationale, [run for run in runs if run.trace.frames])
    _Reader(context, source, output_prediction=output_prediction).read()
    if output_prediction:
        read_announced(context)
    found = _without_overlaps(corrected(marked(context.settled(), rationale)))
    if output_prediction and runs:
        return answered(found, rationale, runs[0].output)
    return found


_READERS = (
    read_chains,
    read_conditions,
    read_phrases,
    read_sequences,
    read_counts,
    read_worded,
    read_actions,
)


class _Reader:
    def __init__(self, context: Context, source: Source, *, output_prediction: bool) -> None:
        self._context = context
        self._source = source
        self._output_prediction = output_prediction
        nodes = list(ast.walk(source.tree))
        names = {n.id for n in nodes if isinstance(n, ast.Name)}
        names |= {n.arg for n in nodes if isinstance(n, ast.arg)}
        functions = {n.name for n in nodes if isinstance(n, ast.FunctionDef)}
        keys = {
            key.value
            for n in nodes
            if isinstance(n, ast.Dict)
            for key in n.keys
            if isinstance(key, ast.Constant) and isinstance(key.value, str)
        }
        self._gatherer = Gatherer(
            names=names - functions - {"print"},
            keys={key for key in keys - names - functions if key.isidentifier()},
            functions=functions,
            caret_is_power=not any(isinstance(n, ast.BitXor) for n in nodes),
        )
        self._quoted = {line.strip() for line in ast.unparse(source.tree).splitlines()}
        self._squeezed = {_squeezed(line) for line in self._quoted} - {""}
        if context.runs:
            context.inputs = frozenset(context.runs[0].arguments)
        self._candidates = Candidates(context.runs, several=not output_prediction)
        self._moments = {id(run): Moments(run) for run in context.runs}
        if output_prediction and context.runs:
            # Before an input is settled on, a text speaks of other ones, with other values.
            context.occurrences = Occurrences(context.runs[0])

    def read(self) -> None:
        text = self._context.text
        gathered = lines(text)
        place = 0
        while place < len(gathered):
            line = gathered[place]
            if line.kind == "row":
                end = place
                while end < len(gathered) and gathered[end].kind == "row":
                    end += 1
                with suppress(RecursionError):
                    self._table(gathered[place:end])
                place = end
                continue
            place += 1
            # Brackets or sums may be too deep for anyone to read.
            with suppress(RecursionError):
                self._line(line, last=place == len(gathered), final=place >= len(gathered) - 1)

    def _items(self, start: int, end: int, *, code: bool) -> list[Item]:
        return self._gatherer.items(tokens(self._context.text, start, end, code=code))

    def _beginning(self, line: Line) -> int:
        """Return where what a line tells begins; its end where it only shows code."""
        content = self._context.text[line.whole : line.end].strip()
        if line.kind == "code" and content in self._quoted:
            return line.end
        if not line.written:
            return line.start
        statement, _, comment = content.partition("#")
        return line.end - len(comment) if _squeezed(statement) in self._squeezed else line.end

    def _line(self, line: Line, *, last: bool, final: bool) -> None:
        start = self._beginning(line)
        if start >= line.end:
            return
        items = self._items(start, line.end, code=line.kind == "code")
        self._context.runs = runs = self._candidates.line()
        moments = self._moments[id(runs[0])] if runs else None
        if last and self._output_prediction:
            read_alone(items, self._context)
        if moments is not None:
            moments.leave(items, line.indent, bullet=line.kind == "bullet")
        for part, deeper in _parts(items):
            bullet = line.kind == "bullet"
            self._context.window = (
                moments.enter(part, line.indent + deeper, bullet=bullet) if moments else None
            )
            told = sentences(part, wishes=not self._output_prediction)
            for number, sentence in enumerate(told):
                self._context.final = final and number == len(told) - 1
                self._context.runs = self._candidates.sentence(sentence.items)
                if number and moments and read_label(sentence.items, moments.run):
                    self._context.window = moments.enter(
                        sentence.items, line.indent + deeper + 1, bullet=True
                    )
                # A paragraph moves on from what it begins with; a list's item does not.
                if self._context.runs != runs or (
                    line.kind == "text"
                    and number > 1
                    and len(told[0].items) > _SHORT_LABEL
                    and not (moments and read_label(sentence.items, moments.run))
                ):
                    self._context.window = None
                for read in _READERS:
                    read(sentence, self._context)
                read_results(sentence, self._context, output_prediction=self._output_prediction)
                read_foreign(sentence, self._context)

    def _table(self, rows: Sequence[Line]) -> None:
        text = self._context.text
        columns: list[Column | None] = []
        read: list[Row] = []
        for line in rows:
            if is_separator(text, line):
                continue
            places = cells(text, line)
            contents = [self._items(start, end, code=True) for start, end in places]
            if not columns:
                columns = [column(items) for items in contents]
                continue
            found = [
                one
                for about, items, (start, end) in zip(columns, contents, places, strict=False)
                if about and items and (one := cell(about, items, text[start:end], start, end))
            ]
            read.append(Row(tuple(found)))
        if read:
            self._context.runs = self._candidates.line()
            judge_table(read, self._context)


def _squeezed(code: str) -> str:
    return code.replace('"', "'").translate({ord(" "): None, ord("\t"): None})


def _parts(items: list[Item]) -> list[tuple[list[Item], int]]:
    """Split a line at semicolons that a label follows: `i = 3: x = 1; i = 4: x = 2`."""
    pieces: list[list[Item]] = [[]]
    for item in items:
        if item.text == ";" and item.kind == "sign":
            pieces.append([])
        else:
            pieces[-1].append(item)
    labelled = sum(any(item.text in (":", "→") for item in piece) for piece in pieces)
    if len(pieces) < 2 or labelled < len(pieces):
        return [(items, 0)]
    first = pieces[0]
    colon = next((n for n, item in enumerate(first) if item.text == ":"), None)
    if colon is not None and all(item.kind == "word" for item in first[:colon]):
        pieces[0] = first[colon + 1 :]
    return [(piece, 1) for piece in pieces]


_SHORT_LABEL = 5
"""Items up to which a paragraph's first sentence, if it is a label, is one for all of it."""

_SURER = (Support.CONTRADICTED, Support.SUPPORTED, Support.UNKNOWN)


def _without_overlaps(found: Sequence[Statement]) -> list[Statement]:
    """Return the statements in order, of two about the same thing at one place the surer."""
    kept: dict[tuple[int, int, str], Statement] = {}
    for one in found:
        key = (one.start, one.end, one.subject)
        before = kept.get(key)
        if before is None or _SURER.index(one.support) < _SURER.index(before.support):
            kept[key] = one
    return sorted(kept.values(), key=lambda one: (one.start, one.end))
