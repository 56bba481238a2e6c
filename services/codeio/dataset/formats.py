"""The row that each format makes of a sample.

| format              | samples                  | for                                      |
|---------------------|--------------------------|------------------------------------------|
| `messages`          | correct ones             | supervised training on chats             |
| `prompt-completion` | correct ones             | supervised training, loss on the answer  |
| `joined`            | correct ones             | the paper's CodeI/O++: all in one answer |
| `sharegpt`          | correct ones             | trainers that read ShareGPT chats        |
| `codeio`            | all, right or wrong      | the columns of the paper's own data set  |
| `verl`              | one per task             | reinforcement learning with verl         |

The paper found that dropping wrong answers gains nothing at equal size, so
nothing is thrown away: `codeio` holds every sample, and the verdict is
a column everywhere. A chat is offered with right answers only, because a
trainer takes each of its rows as an example to follow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import pyarrow as pa

from codeio.runtime.errors import UsageError
from codeio.runtime.values import ABSOLUTE_TOLERANCE, RELATIVE_TOLERANCE, dumps
from codeio.v1.records_pb2 import Direction, Turn, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from codeio.v1.records_pb2 import Sample

Row: TypeAlias = dict[str, Any]

_TEXT = pa.string()
_MESSAGE = pa.struct([("role", _TEXT), ("content", _TEXT)])

_CORRECT = f"verdict = {Verdict.VERDICT_CORRECT} AND turns > 0"
_FIRST_OF_TASK = (
    "turns > 0 AND sample_id IN (SELECT min(sample_id) FROM samples WHERE turns > 0"
    " GROUP BY task_id)"
)

COMMON = (
    ("sample_id", _TEXT, "id of the sample"),
    ("task_id", _TEXT, "id of the question: program, pair and direction"),
    ("program_id", _TEXT, "id of the program; a program is in one split only"),
    ("direction", _TEXT, "`DIRECTION_OUTPUT_PREDICTION` or `DIRECTION_INPUT_PREDICTION`"),
    ("verdict", _TEXT, "judgement of the last answer, such as `VERDICT_CORRECT`"),
    ("turns", pa.int32(), "number of answers, revisions included"),
    ("teacher", _TEXT, "who wrote the rationale, with a hash of the parameters"),
    ("prompt_format", _TEXT, "name of the prompt's and response's format"),
    (
        "pass_rate",
        pa.float64(),
        "difficulty: share of the samples of the same task that were right at once",
    ),
    ("scores", _TEXT, "JSON object: quality of the program, a number by each score's name"),
    ("claims_checked", pa.bool_(), "whether a trace confirmed statements and refuted none"),
    ("supported", pa.int32(), "statements of the last rationale that a trace confirms"),
    ("contradicted", pa.int32(), "statements that it refutes"),
    ("unknown", pa.int32(), "statements that it can neither confirm nor refute"),
    ("source", _TEXT, "where the code was collected"),
    ("repository", _TEXT, "repository or package that holds the file; may be empty"),
    ("path", _TEXT, "path of the file inside the source"),
    ("licence", _TEXT, "SPDX identifier of the code's licence; empty when unknown"),
    (
        "verification_info",
        _TEXT,
        "JSON: all that a reward function needs to judge an answer by execution",
    ),
)
"""Name, type and meaning of the columns that every format has after its own."""


class Placed(NamedTuple):
    """A sample and where its row stands."""

    sample: Sample
    split: str
    number: int
    """Number of the row in its split, from 0."""
    pass_rate: float


@dataclass(frozen=True, kw_only=True)
class Format:
    """How samples become rows."""

    name: str
    summary: str
    where: str
    """Which samples become rows, as a condition on the snapshot's samples."""
    columns: tuple[tuple[str, pa.DataType, str], ...]
    """Name, type and meaning of the format's own columns."""
    fill: Callable[[Placed], Row]
    """Gives the values of those columns."""

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([(name, kind) for name, kind, _ in (*self.columns, *COMMON)])

    def row(self, placed: Placed) -> Row:
        return {**self.fill(placed), **_common(placed.sample, placed.pass_rate)}


def formats_named(names: Sequence[str], *, most_turns: int = 0) -> list[Format]:
    """Return the formats of these names.

    `most_turns` is the largest number of answers that a sample has.

    Raises:
        UsageError: there is no such format, or none was named.
    """
    known = {form.name: form for form in (*_FORMATS, _codeio(most_turns))}
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        said = f"there is no format {unknown[0]!r}" if unknown else "no format was named"
        raise UsageError(f"{said}; choose among {', '.join(sorted(known))}")
    return [known[name] for name in dict.fromkeys(names)]


def verification_info(sample: Sample) -> str:
    """Return JSON with the program, the pair, the direction and the tolerances.

    An answer to an output prediction is right when it equals `output_json`; an
    answer to an input prediction when `entry_point(**answer)` equals it, whether
    or not the answer is `input_json`.
    """
    task = sample.task
    return dumps(
        {
            "task_id": task.task_id,
            "direction": Direction.Name(task.direction),
            "code": task.program.code,
            "entry_point": task.program.entry_point,
            "input_json": task.pair.input_json,
            "output_json": task.pair.output_json,
            "relative_tolerance": RELATIVE_TOLERANCE,
            "absolute_tolerance": ABSOLUTE_TOLERANCE,
        }
    )


def answer_text(turn: Turn) -> str:
    """Return what a model should learn to say: the reasoning, then the response."""
    response = turn.response or turn.answer_json
    if turn.reasoning:
        return f"<think>\n{turn.reasoning}\n</think>\n\n{response}"
    return response


def chat(sample: Sample) -> list[dict[str, str]]:
    """Return the turns as messages: what the teacher was shown, what it answered, and so on."""
    messages: list[dict[str, str]] = []
    feedback = ""
    for turn in sample.turns:
        messages.append({"role": "user", "content": turn.prompt or feedback})
        messages.append({"role": "assistant", "content": answer_text(turn)})
        feedback = turn.feedback
    return messages


def gold_answer(sample: Sample) -> str:
    """Return a right answer as JSON text; for an input prediction one of possibly many."""
    pair = sample.task.pair
    if sample.task.direction == Direction.DIRECTION_INPUT_PREDICTION:
        return pair.input_json
    return pair.output_json


def _common(sample: Sample, pass_rate: float) -> Row:
    origin = sample.task.program.origin
    statements = (sample.turns[-1] if sample.turns else Turn()).statements
    return {
        "sample_id": sample.sample_id,
        "task_id": sample.task.task_id,
        "program_id": sample.task.program.program_id,
        "direction": Direction.Name(sample.task.direction),
        "verdict": Verdict.Name(sample.verdict),
        "turns": len(sample.turns),
        "teacher": sample.teacher,
        "prompt_format": sample.prompt_format,
        "pass_rate": pass_rate,
        "scores": _scores(sample),
        "claims_checked": sample.claims_checked,
        "supported": statements.supported,
        "contradicted": statements.contradicted,
        "unknown": statements.unknown,
        "source": origin.source,
        "repository": origin.repository,
        "path": origin.path,
        "licence": origin.licence,
        "verification_info": verification_info(sample),
    }


def _scores(sample: Sample) -> str:
    scores = sorted(sample.task.program.scores.items())
    # JSON has no word for what is not finite, and no band or threshold could use it.
    return dumps({name: score for name, score in scores if math.isfinite(score)})


def _messages(placed: Placed) -> Row:
    return {"messages": chat(placed.sample)}


def _prompt_completion(placed: Placed) -> Row:
    *before, last = chat(placed.sample)
    return {
        "prompt": "\n\n".join(message["content"] for message in before),
        "completion": last["content"],
    }


def _joined(placed: Placed) -> Row:
    question, *rest = chat(placed.sample)
    return {
        "prompt": question["content"],
        "completion": "\n\n".join(message["content"] for message in rest),
    }


def _sharegpt(placed: Placed) -> Row:
    speakers = {"user": "human", "assistant": "gpt"}
    return {
        "conversations": [
            {"from": speakers[message["role"]], "value": message["content"]}
            for message in chat(placed.sample)
        ]
    }


def _verl(placed: Placed) -> Row:
    sample = placed.sample
    return {
        "data_source": "codeio",
        "prompt": chat(sample)[:1],
        "ability": "code_reasoning",
        "reward_model": {"style": "rule", "ground_truth": gold_answer(sample)},
        # verl hands its reward function this struct and the ground truth, no other column.
        "extra_info": {
            "split": placed.split,
            "index": placed.number,
            "direction": Direction.Name(sample.task.direction),
            "verification_info": verification_info(sample),
        },
    }


def _codeio(most_turns: int) -> Format:
    """Return upstream's format: two answers, and as many more as some sample has.

    Upstream leaves out what a revision was asked for with; it is here, so that
    a row holds the whole chat.
    """
    places = range(1, max(2, most_turns) + 1)

    def fill(placed: Placed) -> Row:
        turns = placed.sample.turns
        row: Row = {"prompt": turns[0].prompt if turns else ""}
        for place in places:
            turn = turns[place - 1] if place <= len(turns) else None
            row[f"turn_{place}"] = answer_text(turn) if turn else None
            row[f"feedback_{place}"] = turn.feedback if turn else None
        asked = [message["content"] for message in chat(placed.sample)[::2]]
        for place in places[1:]:
            row[f"prompt_{place}"] = asked[place - 1] if place <= len(turns) else None
        return row

    columns = [("prompt", _TEXT, "the question")]
    for place in places:
        columns += [
            (f"turn_{place}", _TEXT, f"answer {place}; null when there was none"),
            (f"feedback_{place}", _TEXT, f"what the verifier said to answer {place}"),
        ]
    columns += [
        (f"prompt_{place}", _TEXT, f"what answer {place} was asked for with, feedback included")
        for place in places[1:]
    ]
    return Format(
        name="codeio",
        summary="every sample, whatever its verdict, in the columns of the paper's own data set",
        where="TRUE",
        columns=tuple(columns),
        fill=fill,
    )


_FORMATS = (
    Format(
        name="messages",
        summary="chats that end in a right answer",
        where=_CORRECT,
        columns=(("messages", pa.list_(_MESSAGE), "the chat, as `role` and `content`"),),
        fill=_messages,
    ),
    Format(
        name="prompt-completion",
        summary="right answers as plain text; a wrong first answer and its feedback stand in "
        "the prompt",
        where=_CORRECT,
        columns=(
            ("prompt", _TEXT, "all that came before the last answer"),
            ("completion", _TEXT, "the last answer"),
        ),
        fill=_prompt_completion,
    ),
    Format(
        name="joined",
        summary="right answers, each with the wrong ones and the feedback before it as one text "
        "(the paper's CodeI/O++)",
        where=_CORRECT,
        columns=(
            ("prompt", _TEXT, "the question"),
            ("completion", _TEXT, "all answers, with the feedback between them"),
        ),
        fill=_joined,
    ),
    Format(
        name="sharegpt",
        summary="chats that end in a right answer, in ShareGPT's form",
        where=_CORRECT,
        columns=(
            (
                "conversations",
                pa.list_(pa.struct([("from", _TEXT), ("value", _TEXT)])),
                "the chat, as `from` (`human` or `gpt`) and `value`",
            ),
        ),
        fill=_sharegpt,
    ),
    Format(
        name="verl",
        summary="one question per task for reinforcement learning; the teacher's answer has no say",
        where=_FIRST_OF_TASK,
        columns=(
            ("data_source", _TEXT, "`codeio`"),
            ("prompt", pa.list_(_MESSAGE), "the question as a chat of one message"),
            ("ability", _TEXT, "`code_reasoning`"),
            (
                "reward_model",
                pa.struct([("style", _TEXT), ("ground_truth", _TEXT)]),
                "`rule`, and a right answer as JSON text",
            ),
            (
                "extra_info",
                pa.struct(
                    [
                        ("split", _TEXT),
                        ("index", pa.int64()),
                        ("direction", _TEXT),
                        ("verification_info", _TEXT),
                    ]
                ),
                "split, row number, direction and `verification_info` for the reward function",
            ),
        ),
        fill=_verl,
    ),
)
