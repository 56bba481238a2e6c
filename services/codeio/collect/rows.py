"""Rows of data sets: raw files, programs that somebody normalised already, and our own records."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format

from codeio.collect import licences
from codeio.collect.source import Candidate, Unusable
from codeio.runtime import values
from codeio.runtime.records import ENTRY_POINT
from codeio.v1.records_pb2 import Program, RawFile

if TYPE_CHECKING:
    from collections.abc import Mapping

# Columns by what they mean; the first that holds something is taken.
PROGRAM_COLUMNS = ("refcode", "code_sample")
FILE_COLUMNS = ("content", "text")
CODE_COLUMNS = PROGRAM_COLUMNS + FILE_COLUMNS
_ENTRY_POINT = ("funcname", "entry_point")
_IO_DESCRIPTION = ("io_requirements", "input_output_spec")
_PROBLEM = ("problem_description", "task_description")
_GENERATOR = ("input_generator",)
_PATH = ("path", "file_path", "max_stars_repo_path")
_REPOSITORY = ("repo_name", "repository", "repo", "max_stars_repo_name")
_LICENCE = (
    "licence",
    "license",
    "licences",
    "licenses",
    "detected_licenses",
    "max_stars_repo_licenses",
)
NAMED_COLUMNS = frozenset(
    CODE_COLUMNS
    + _ENTRY_POINT
    + _IO_DESCRIPTION
    + _PROBLEM
    + _GENERATOR
    + _PATH
    + _REPOSITORY
    + _LICENCE
    + ("ios", "file_id", "source", "program")
)


def read_row(row: object, location: str) -> Candidate | Unusable:
    """Recognise a row; what it holds is judged later."""
    if not isinstance(row, dict):
        return bad_row(location, f"it is a {_json_type(row)}, not an object")
    if isinstance(row.get("file_id"), str) and isinstance(row.get("content"), str):
        return _record(row, location)
    code = _first(row, PROGRAM_COLUMNS)
    if code is not None:
        return _candidate(row, location, code, _program(row))
    content = _first(row, FILE_COLUMNS)
    if content is not None:
        return _candidate(row, location, content, None)
    return bad_row(location, f"it has text in none of {', '.join(CODE_COLUMNS)}")


def bad_row(location: str, detail: str, reason: str = "bad_row") -> Unusable:
    return Unusable(location=location, path=location, reason=reason, detail=f"{location}: {detail}")


def _candidate(
    row: Mapping[str, Any], location: str, content: str | bytes, program: Program | None
) -> Candidate:
    return Candidate(
        location=location,
        path=_text(row, _PATH) or location,
        content=content,
        licence=_licence(row),
        repository=_text(row, _REPOSITORY),
        program=program,
    )


def _record(row: dict[str, Any], location: str) -> Candidate | Unusable:
    record = RawFile()
    try:
        json_format.ParseDict(row, record, ignore_unknown_fields=True)
    except (json_format.ParseError, ValueError) as error:
        return bad_row(location, f"it is not a RawFile record: {error}")
    return Candidate(
        location=location,
        path=record.path,
        content=record.content,
        licence=record.licence,
        repository=record.repository,
        program=record.program if record.HasField("program") else None,
        record=record,
    )


def _program(row: Mapping[str, Any]) -> Program:
    return Program(
        entry_point=_text(row, _ENTRY_POINT) or ENTRY_POINT,
        io_description=_text(row, _IO_DESCRIPTION),
        input_generator=_text(row, _GENERATOR),
        problem_statement=_text(row, _PROBLEM),
        seed_inputs=_seed_inputs(row.get("ios")),
        scores={
            name: float(value)
            for name, value in row.items()
            if isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value)
        },
    )


def _seed_inputs(pairs: object) -> list[str]:
    """Return the recorded inputs as JSON texts; what is not an input is passed over."""
    found: dict[str, None] = {}
    listed = _parsed(pairs)
    for pair in listed if isinstance(listed, list) else []:
        arguments = _parsed(pair.get("input")) if isinstance(pair, dict) else None
        if isinstance(arguments, dict):
            try:
                found[values.dumps(arguments)] = None
            except ValueError:
                continue
    return list(found)


def _parsed(value: object) -> Any:
    """Return a value that some data sets keep as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return values.loads(value)
    except ValueError:
        return None


def _licence(row: Mapping[str, Any]) -> str:
    for name in _LICENCE:
        match row.get(name):
            case str() as one if one:
                return licences.from_statement(one)
            case [*many] if many:
                return licences.all_of(licences.from_statement(str(one)) for one in many)
    return ""


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> str | bytes | None:
    return next((row[name] for name in names if isinstance(row.get(name), str | bytes)), None)


def _text(row: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """Return the first text there is, without what UTF-8 cannot hold."""
    found = next((row[name] for name in names if isinstance(row.get(name), str)), "")
    return found.encode("utf-8", errors="replace").decode()


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _json_type(value: object) -> str:
    names = {list: "list", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")


def parse_line(line: bytes, location: str) -> Candidate | Unusable:
    """Read one line of JSON Lines."""
    try:
        # Leniently, since NaN in a column that nobody reads does no harm; recorded
        # inputs are held to strict JSON when they are written.
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return bad_row(location, f"it is not JSON: {error}")
    return read_row(row, location)
