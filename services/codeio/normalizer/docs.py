"""What docstrings and comments say: summary, parameters, result and examples."""

from __future__ import annotations

import ast
import doctest
import inspect
import io
import re
import tokenize
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from codeio.normalizer.vocabulary import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPHINX = re.compile(
    r"^\s*[:@](param|parameter|arg|type|rtype|returns?|raises?)\b\s*([^:]*?)\s*:?[ \t]+(.*)$|"
    r"^\s*[:@](rtype|returns?)\s*:\s*(.*)$",
    re.IGNORECASE,
)
_SECTION = re.compile(
    r"^\s*(args?|arguments|parameters?|params?|inputs?|returns?|output|yields?|raises?|examples?|"
    r"notes?|usage|references?|see also|attributes|test cases?|complexity|explanation)\s*"
    r":?\s*(-{3,})?$",
    re.IGNORECASE,
)
_ENTRY = re.compile(
    r"^\s*[-*]?\s*`?\*{0,2}(\w+)`?\s*(?:\(([^)]*)\)|:\s*(?=\S)([\w\[\], .]*?)(?=\s*$))?"
    r"\s*(?:[:–-]\s*(.*))?$"
)
_TYPE_WORD = re.compile(
    r"\b(int|str|float|bool|list|dict|tuple|set|array|string|number|integer|boolean)\b|\[",
    re.IGNORECASE,
)
_EXAMPLE_INPUT = re.compile(
    r"(?:input|given|example|entrada|输入|入力|입력)[^:=：\n]{0,30}[:：]\s*"
    r"(?=[\[\"'({\d-]|\w+\s*=)(.+)",
    re.IGNORECASE,
)
_NAMED_VALUE = re.compile(r"\b([A-Za-z_]\w*)\s*=\s*(?=[\[\"'{(\d\-TFNtfn])")


@dataclass
class Documentation:
    """What is said about a unit; texts in English only, others are empty."""

    summary: str = ""
    types: dict[str, str] = field(default_factory=dict)
    meanings: dict[str, str] = field(default_factory=dict)
    result_type: str = ""
    result_meaning: str = ""


def read_docstring(text: str | None) -> Documentation:
    """Read a docstring of any of the common styles."""
    documentation = Documentation()
    if not text:
        return documentation
    lines = inspect.cleandoc(text).splitlines()
    prose: list[str] = []
    section = ""
    last = ""
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if set(line.strip()) in ({"-"}, {"="}) and section:
            continue
        if match := _SPHINX.match(line):
            _read_sphinx(documentation, match)
            section = "sphinx"
        elif match := _SECTION.match(line):
            section = match.group(1).lower()
        elif section.startswith(("arg", "param", "input")) and line.strip():
            last = _read_entry(documentation, line, last)
        elif section.startswith(("return", "yield", "output")) and line.strip():
            _read_result(documentation, line)
        elif not section and ">>>" not in line and set(following.strip()) != {"="}:
            prose.append(line)
        elif ">>>" in line:
            section = "examples"
    documentation.summary = english(" ".join(prose)) and "\n".join(prose)
    return documentation


def _read_sphinx(documentation: Documentation, match: re.Match[str]) -> None:
    kind = (match.group(1) or match.group(4)).lower()
    names, text = (match.group(2) or "").split(), match.group(3) or match.group(5) or ""
    if kind in ("param", "parameter", "arg") and names:
        documentation.meanings[names[-1]] = english(text)
        documentation.types.setdefault(names[-1], " ".join(names[:-1]) or text)
    elif kind == "type" and names:
        documentation.types[names[-1]] = text
    elif kind == "rtype":
        documentation.result_type = " ".join((*names, text)).strip()
    elif kind.startswith("return"):
        documentation.result_meaning = english(" ".join((*names, text)).strip())


def _read_entry(documentation: Documentation, line: str, last: str) -> str:
    match = _ENTRY.match(line)
    if (
        match
        and match.group(1).isidentifier()
        and (match.group(4) or match.group(2) or match.group(3))
    ):
        name = match.group(1)
        kind = match.group(2) or match.group(3) or ""
        meaning = match.group(4) or ("" if _TYPE_WORD.search(kind) else kind)
        documentation.types[name] = kind or meaning
        documentation.meanings[name] = english(meaning)
        return name
    if last and line.startswith((" ", "\t")):
        joined = f"{documentation.meanings.get(last, '')} {english(line)}"
        documentation.meanings[last] = joined.strip()
    return last


def _read_result(documentation: Documentation, line: str) -> None:
    text = line.strip()
    kind, colon, meaning = text.partition(":")
    if not documentation.result_type and not documentation.result_meaning:
        if colon and len(kind.split()) < 4:
            documentation.result_type, text = kind, meaning.strip()
        elif len(text.split()) < 4:
            documentation.result_type, text = text, ""
    documentation.result_meaning = f"{documentation.result_meaning} {english(text)}".strip()


def comments_above(text: str, line: int) -> str:
    """Return the block of comment lines that ends right above a line (numbered from 1)."""
    lines = text.splitlines()
    found: list[str] = []
    position = line - 2
    while position >= 0 and lines[position].strip().startswith("#"):
        found.append(lines[position].strip().lstrip("#").strip())
        position -= 1
    return english(" ".join(found)) and "\n".join(reversed(found))


def header(text: str, tree: ast.Module) -> str:
    """Return the text at the top of the file: its docstring, or its first comments."""
    docstring = ast.get_docstring(tree)
    if docstring:
        return docstring
    found: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            found.append(stripped.lstrip("#!").strip())
        elif stripped or found:
            break
    return "\n".join(found)


def english(text: str) -> str:
    """Return the text on one line, or nothing when it is code, noise or another language."""
    text = re.sub(r"https?://\S+", "", " ".join(text.split())).strip(" -=*#~")
    letters = [c for c in text if c.isalpha()]
    if len(letters) < 3 or sum(c.isascii() for c in letters) < 0.95 * len(letters):
        return ""
    if len(letters) < 0.5 * len(text.replace(" ", "")):
        return ""
    if re.search(
        r"coding[:=]|copyright|@?author|licen[sc]e|^!|usr/bin|@time|write your code",
        text,
        re.IGNORECASE,
    ):
        return ""
    words = set(re.findall(r"[a-z]+", text.lower()))
    return "" if words & _FOREIGN and len(words & _ENGLISH) < 2 else text


_ENGLISH = frozenset(listed("the an of to is in for and with return given if that this are it by"))
_FOREIGN = frozenset(
    listed(
        "de la el los las un una uno uma que para por com del der die das und ist mit le les des "
        "une est dans pour sur et che il di per sono este esta se da do os ao na het een voor"
    )
)


def comment_text(text: str) -> str:
    """Return all comments and free-standing strings of a file, one after another."""
    parts: list[str] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                parts.append(token.string.lstrip("#"))
            elif token.type == tokenize.STRING and token.string.lstrip("rRuUbB").startswith(
                ('"""', "'''")
            ):
                parts.append(token.string.lstrip("rRuUbB")[3:-3])
    except (tokenize.TokenError, IndentationError, SyntaxError):
        pass
    return "\n".join(parts)


def worded_examples(text: str, names: list[str]) -> Iterator[dict[str, Any]]:
    """Yield inputs that a text gives, such as `Input: nums = [2,7], target = 9`.

    Values are matched to the names where they are named, else by position.
    """
    for line_match in _EXAMPLE_INPUT.finditer(text):
        rest = text[line_match.start(1) : line_match.start(1) + 400]
        named = dict(_named_values(rest, names))
        if named:
            yield named
            continue
        values = list(_leading_values(rest))
        if values and len(values) == len(names):
            yield dict(zip(names, values, strict=True))
    for match in _NAMED_VALUE.finditer(text):
        if match.group(1) in names:
            value = _literal_at(text, match.end())
            if value is not _NOTHING:
                yield {match.group(1): value}


def _named_values(text: str, names: list[str]) -> Iterator[tuple[str, Any]]:
    end = re.search(r"\n\s*\n|\boutput\b|->", text, re.IGNORECASE)
    text = text[: end.start()] if end else text
    lowered = {name.lower(): name for name in names}
    for match in _NAMED_VALUE.finditer(text):
        name = lowered.get(match.group(1).lower())
        value = _literal_at(text, match.end())
        if name is not None and value is not _NOTHING:
            yield name, value


def _leading_values(text: str) -> Iterator[Any]:
    position = 0
    while position < len(text):
        value, length = _scan(text[position:])
        if value is _NOTHING:
            return
        yield value
        position += length
        separator = re.match(r"\s*(,|and|\n(?=\s*[\[\"'\d-]))\s*", text[position:])
        if not separator:
            return
        position += separator.end()


_NOTHING = object()


def _literal_at(text: str, position: int) -> Any:
    return _scan(text[position:])[0]


def _scan(text: str) -> tuple[Any, int]:
    """Return the literal at the start of a text and its length."""
    match = re.match(
        r"\s*(-?\d+(\.\d+)?|\"[^\"\n]*\"|'[^'\n]*'|(true|false|null|none)\b)", text, re.IGNORECASE
    )
    if match:
        return _literal(match.group(1)), match.end()
    start = re.match(r"\s*[\[({]", text)
    if not start:
        return _NOTHING, 0
    depth = 0
    for position in range(start.end() - 1, min(len(text), 600)):
        depth += text[position] in "[({"
        depth -= text[position] in "])}"
        if depth == 0:
            return _literal(text[start.end() - 1 : position + 1]), position + 1
    return _NOTHING, 0


def _literal(text: str) -> Any:
    text = re.sub(r"\bnull\b", "None", text)
    text = re.sub(r"\b(true|false)\b", lambda m: m.group(1).capitalize(), text)
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return _NOTHING


def doctest_calls(text: str | None) -> Iterator[ast.expr]:
    """Yield the expressions of a docstring's doctests."""
    if not text or ">>>" not in text:
        return
    try:
        examples = doctest.DocTestParser().get_examples(text)
    except ValueError:
        return
    for example in examples:
        try:
            yield ast.parse(example.source.strip(), mode="eval").body
        except SyntaxError:
            continue
