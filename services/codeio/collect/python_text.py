"""From the bytes of a file to the text of a Python 3 module."""

from __future__ import annotations

import ast
import codecs
import io
import logging
import re
import tokenize
import warnings
from functools import cache

from fissix.pgen2.parse import ParseError
from fissix.pgen2.tokenize import NEWLINE, TokenError, generate_tokens
from fissix.refactor import RefactoringTool, get_fixers_from_package

from codeio.runtime.errors import Rejected

# What the parsers raise for hostile text, next to the plain SyntaxError:
# too deep nesting (RecursionError, MemoryError) and null bytes (ValueError).
_PARSE_ERRORS = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)
_MAX_STATEMENTS = 4000
_MAX_STATEMENT_TOKENS = 8000
_MAX_DEPTH = 100
_MAX_CHAIN = 60
_OPENING = frozenset("([{")
_CLOSING = frozenset(")]}")
# Codecs that Python itself takes for text, yet not as the encoding of a source file.
_NOT_FOR_SOURCE = ("idna", "punycode", "utf-16", "utf-32", "utf-7", "unicode-escape", "raw-unic")
_LEADING_BLANKS = re.compile(r"^[ \t]*\t[ \t]*", re.MULTILINE)

# The conversion tells of each fixer that it skips and each change that it makes.
logging.getLogger("fissix").addHandler(logging.NullHandler())
logging.getLogger("fissix").propagate = False


def decode(content: str | bytes) -> str:
    r"""Return the text with `\n` at line ends and no byte order mark.

    Raises:
        Rejected: `not_text`, when the declared encoding (PEP 263) or UTF-8 cannot
            hold it, or it has null characters; `empty`, when nothing but blanks is left.
    """
    if isinstance(content, bytes):
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
            if codecs.lookup(encoding).name.replace("_", "-").startswith(_NOT_FOR_SOURCE):
                raise Rejected("not_text", f"no source file can be in {encoding}")
            text = content.decode(encoding)
        except (SyntaxError, ValueError, LookupError) as error:
            raise Rejected("not_text", f"it cannot be decoded: {error}") from error
    else:
        text = content
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        raise Rejected("not_text", "it holds a null character")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Rejected("not_text", f"it holds a lone surrogate at {error.start}") from error
    if not text.strip():
        raise Rejected("empty", "it holds nothing but blanks")
    return text


def modernise(text: str) -> str:
    """Return the text as Python 3: unchanged where it parses, else converted from Python 2.

    Raises:
        Rejected: `not_parseable`, when it is neither.
    """
    problem = _problem(text)
    if problem is None:
        return text
    # Python 2 took a tab for the blanks up to the next multiple of eight.
    expanded = _LEADING_BLANKS.sub(lambda blanks: blanks[0].expandtabs(8), text)
    if expanded != text and _problem(expanded) is None:
        return expanded
    converted = _from_python2(expanded)
    if converted is None or _problem(converted) is not None:
        raise Rejected("not_parseable", problem)
    return converted


def _problem(text: str) -> str | None:
    """Return why the text does not parse."""
    try:
        with warnings.catch_warnings():
            # Escapes and comparisons that Python warns of are the file's business.
            warnings.simplefilter("ignore")
            ast.parse(text)
    except SyntaxError as error:
        return f"line {error.lineno or 0}: {error.msg}"
    except _PARSE_ERRORS as error:
        return f"{type(error).__name__}: {error}"
    return None


def _from_python2(text: str) -> str | None:
    source = text.rstrip() + "\n"
    try:
        if not _is_convertible(source):
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return str(_converter().refactor_string(source, "file"))
    except (*_PARSE_ERRORS, ParseError, TokenError, AttributeError, KeyError, IndexError):
        # The last three are slips of single fixers over code that is not quite Python 2.
        return None


def _is_convertible(source: str) -> bool:
    """Tell whether conversion ends soon: fixers take up to cubic time over what is bounded here.

    Python 2 itself refused more than about a hundred open brackets.
    """
    statements = tokens = 0
    # For each open bracket, how many attributes, calls and indices follow on one another.
    chains = [0]
    before = ""
    for kind, word, *_ in generate_tokens(io.StringIO(source).readline):
        tokens += 1
        if kind == NEWLINE:
            statements, tokens = statements + 1, 0
        if word == "." or (word in _OPENING and before in _CLOSING):
            chains[-1] += 1
        elif before != "." and word not in _OPENING:
            chains[-1] = 0
        if word in _OPENING:
            chains.append(0)
        elif word in _CLOSING and len(chains) > 1:
            chains.pop()
        before = word
        if (
            statements > _MAX_STATEMENTS
            or tokens > _MAX_STATEMENT_TOKENS
            or len(chains) > _MAX_DEPTH
            or chains[-1] > _MAX_CHAIN
        ):
            return False
    return True


@cache
def _converter() -> RefactoringTool:
    return RefactoringTool(get_fixers_from_package("fissix.fixes"))
