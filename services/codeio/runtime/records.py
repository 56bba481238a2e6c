"""Records and their ids.

Ids are derived from content, so the same work gives the same id wherever and
however often it is done.
"""

from __future__ import annotations

import hashlib
from typing import TypeAlias

from codeio.v1.records_pb2 import (
    Attempt,
    DeadLetter,
    Direction,
    ExecutedProgram,
    IoPair,
    Origin,
    PredictionTask,
    Program,
    RawFile,
    Rejection,
    Sample,
)

Record: TypeAlias = (
    RawFile | Program | ExecutedProgram | PredictionTask | Attempt | Sample | Rejection | DeadLetter
)


# What code is called by: the function that a program is, and the one that draws its inputs.
ENTRY_POINT = "main_solution"
GENERATOR = "generate_inputs"


def record_id(record: Record) -> str:
    """Return the id that names the record in rejections, logs and projections."""
    match record:
        case RawFile():
            return record.file_id
        case Program():
            return record.program_id
        case ExecutedProgram():
            return record.program.program_id
        case PredictionTask():
            return record.task_id
        case Attempt() | Sample():
            return record.sample_id
        case Rejection():
            return f"{record.record_id}/{record.stage}"
        case DeadLetter():
            return f"{record.topic}/{record.partition}/{record.offset}"


def record_key(record: Record) -> str:
    """Return the key under which a log holds the record."""
    if isinstance(record, Attempt):
        return f"{record.sample_id}/{len(record.turns)}"
    return record_id(record)


def origin_of(record: Record) -> Origin:
    """Return where the code of a record came from."""
    match record:
        case RawFile():
            return Origin(
                source=record.source,
                path=record.path,
                licence=record.licence,
                repository=record.repository,
                file_id=record.file_id,
            )
        case Program() | Rejection():
            return record.origin
        case ExecutedProgram():
            return record.program.origin
        case PredictionTask():
            return record.program.origin
        case Attempt() | Sample():
            return record.task.program.origin
        case DeadLetter():
            return Origin()


def file_id(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def program_id(*, code: str, entry_point: str, origin: Origin) -> str:
    return _digest("program", code, entry_point, origin.file_id, origin.unit)


def task_id(*, program_id: str, pair: IoPair, direction: Direction) -> str:
    return _digest("task", program_id, pair.input_json, pair.output_json, Direction.Name(direction))


def sample_id(*, task_id: str, prompt_format: str, teacher: str, sample_index: int) -> str:
    return _digest("sample", task_id, prompt_format, teacher, str(sample_index))


def _digest(*parts: str) -> str:
    # Length prefixes keep ("ab", "c") and ("a", "bc") apart.
    hashed = hashlib.sha256()
    for part in parts:
        data = part.encode()
        hashed.update(len(data).to_bytes(8, "big") + data)
    return hashed.hexdigest()[:32]
