r"""From a response to the answer that it gives.

The form that is asked for is a JSON object with the key `output` or `input`
at the end, as in the paper. Models answer in other forms too; they are
read in this order, and the first kind that occurs decides:

1. *Marked*: an object with the asked-for key; the content of `<answer>` or
   `\boxed{}`; the value after "final answer". The last one counts.
2. *Standing alone*: a code block, the last line or the end of the response
   that is a value and nothing else. The last one counts.
3. *Said*: "the output is" and a value, in the last paragraph. All that is said
   there must agree.

Reasoning in `<think>` is not read. Two different answers with nothing between
them but words such as "or" are a list, not a correction, and so no answer; nor
is anything that comes before an object with the asked-for key that is cut off
or malformed.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from codeio.runtime import values
from codeio.v1.records_pb2 import Direction
from codeio.verifier.literals import parse, parse_latex
from codeio.verifier.markup import Span, mark_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from codeio.verifier.signature import Parameters

# Nothing but this between two answers makes them a list.
_LISTING = re.compile(
    r"""(?: </?answer> | [\s\d,;:./|*_#()`"'$\\{}•–—&-]
    | \b(?:a|also|alternative|alternatively|an|and|another|are|be|boxed|could|either|else|is|it
      |json|likewise|may|maybe|might|or|other|perhaps|possible|possibly|python|text|the|then|these
      |this|would)\b
    | \b(?:answer|candidate|case|example|guess|input|option|output|possibility|result|solution)
      [ ]?[#(]?(?:\d+|[a-z])\b
    | \b(?:candidates?|guess(?:es)?|options?|possibilit(?:y|ies))\b
    )*+""",
    re.VERBOSE | re.IGNORECASE,
)
_HEDGE = re.compile(r"[\s*_`$,.]*(?:and/)?or\b")

_LITERAL = r"""
    "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' | \([^()\n]{0,2000}\)
  | -?\d+(?:\.\d+)?(?:[eE][+-]?\d+)? | (?:[tT]rue|[fF]alse|null|None)\b
"""
_SCALAR = re.compile(_LITERAL, re.VERBOSE)
# Emphasis, code, mathematics and the opening of a code block.
_DECORATION = re.compile(r"(?:[\s*_$]|`{3,}(?:json|python|text)?|`|\\[(\[])*+")
_STATEMENT_END = re.compile(
    r"""[*_`$]* (?:\\[)\]])? [*_`$]* [ \t]*
    (?: \Z | \n | < | [.;!] (?=[\s*_`$]|\Z) | ,?[ ](?:because|since|as|which|so)\b | \((?!or\b) )
    """,
    re.VERBOSE,
)
_PUNCTUATION = " \t\n.*_`$!"
_BOXED = re.compile(r"\\boxed\s*(?=\{)")
_IS = r"\b(?:is|are|be)\b (?:[ ](?:hence|indeed|just|simply|then|therefore|thus)\b)? [ \t]*:?"


@dataclass(frozen=True)
class _Form:
    """What an answer of one direction is called."""

    key: str
    wrapper: re.Pattern[str]
    """The beginning of an object with the key, placeholders left out."""
    final: re.Pattern[str]
    said: re.Pattern[str]


def _form(key: str, nouns: str, verbs: str) -> _Form:
    flags = re.IGNORECASE | re.VERBOSE | re.MULTILINE
    return _Form(
        key=key,
        wrapper=re.compile(rf"""\{{\s*["']{key}["']\s*:\s*(?![<.\s])"""),
        final=re.compile(
            rf"\bfinal\s+(?:predicted\s+)?(?:{nouns})\b [^\n:=]{{0,60}}? (?: [:=] | {_IS} | $ )",
            flags,
        ),
        said=re.compile(
            rf"\b(?:{nouns})\b [^\n:=.]{{0,60}}? (?: : | {_IS} ){verbs}",
            flags,
        ),
    )


_FORMS = {
    Direction.DIRECTION_OUTPUT_PREDICTION: _form(
        "output", r"answer|output|result|prediction|return\s+value", r" | \breturns?\b"
    ),
    Direction.DIRECTION_INPUT_PREDICTION: _form("input", r"answer|input|arguments?|prediction", ""),
}


class Problem(Enum):
    """Why no answer can be read."""

    MISSING = "missing"
    MALFORMED = "malformed"
    AMBIGUOUS = "ambiguous"
    NOT_AN_OBJECT = "not an object"


class NoAnswer(ValueError):
    """The response holds no answer that can be judged."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.value)
        self.problem = problem


@dataclass(frozen=True)
class Answer:
    """A predicted output, or the keyword arguments of a predicted input."""

    value: Any
    alternatives: tuple[Any, ...] = ()
    """Other readings of the same text, where the asked-for key may be the value's own."""


def read_response(response: str, *, direction: Direction, parameters: Parameters) -> Answer:
    """Return the answer that a response gives.

    Raises:
        NoAnswer: there is none, or it cannot be told which one is meant.
    """
    form = _FORMS[direction]
    return _interpret(_Reader(response, form).read(), form, parameters)


def read_answer_json(text: str, *, direction: Direction, parameters: Parameters) -> Answer:
    """Return the answer that is given apart from a response, with or without the wrapper.

    Raises:
        NoAnswer: it is not JSON, or no object where an input is asked for.
    """
    form = _FORMS[direction]
    try:
        value = values.loads(text)
    except ValueError:
        raise NoAnswer(Problem.MALFORMED) from None
    answer = _interpret(value, form, parameters)
    if direction == Direction.DIRECTION_OUTPUT_PREDICTION and answer.value is not value:
        return Answer(value, alternatives=(answer.value,))
    return answer


def _interpret(value: Any, form: _Form, parameters: Parameters) -> Answer:
    """Take off the wrapper, once; keep in mind that the key may be the value's own."""
    inner = _unwrap(value, form)
    if form.key == "output":
        # An object with the one key is the form that is asked for. With more
        # keys it may be a bare value; then it has to be right as a whole.
        whole = (value,) if inner is not value and len(value) > 1 else ()
        return Answer(inner, alternatives=whole)
    objects = [option for option in (inner, value) if isinstance(option, dict)]
    for arguments in objects:
        if parameters.fit(arguments):
            return Answer(arguments)
    if not isinstance(inner, dict):
        raise NoAnswer(Problem.NOT_AN_OBJECT)
    return Answer(inner)


def _unwrap(value: Any, form: _Form) -> Any:
    return value[form.key] if isinstance(value, dict) and form.key in value else value


@dataclass(frozen=True, slots=True)
class _Candidate:
    span: Span
    value: Any


class _Reader:
    """Reads one response."""

    def __init__(self, text: str, form: _Form) -> None:
        self._form = form
        self._text = text
        self._markup = mark_up(text)
        self._values = list(self._outermost_values())

    def read(self) -> Any:
        """Return the value of the answer, the wrapper still around it.

        Raises:
            NoAnswer: see `read_response`.
        """
        final = self._markup.final
        if alone := self._parsed(final):
            return alone.value
        if marked := sorted(self._marked(), key=_by_position):
            return self._last_of(marked, beside=marked)
        self._refuse_malformed(after=final.start)
        if standing := sorted(self._standing_alone(), key=_by_position):
            return self._last_of(standing, beside=[*standing, *self._values])
        return self._said()

    def _marked(self) -> Iterator[_Candidate]:
        for candidate in self._values:
            if isinstance(candidate.value, dict) and self._form.key in candidate.value:
                yield candidate
        for element in self._markup.answers:
            if content := self._parsed(element):
                yield content
        for boxed in self._outside_values(_BOXED, self._markup.final):
            box = self._markup.bracket_at(boxed.end())
            if box and (content := self._parsed(Span(box.start + 1, box.end - 1), parse_latex)):
                yield content
        # The pattern needs the word "final", and searches slowly.
        if "nal" in self._text.lower():
            for says in self._outside_values(self._form.final, self._markup.final):
                if stated := self._stated_at(says.end()):
                    yield stated

    def _standing_alone(self) -> Iterator[_Candidate]:
        for block in self._markup.blocks:
            if content := self._parsed(block):
                yield content
        start = self._markup.final.start
        text = self._text[start : self._markup.final.end].rstrip(_PUNCTUATION)
        for candidate in self._values[-1:]:
            if candidate.span.end == start + len(text):
                yield candidate
        for _ in range(2):  # a value on the line above makes a list of the last one
            line = text.rfind("\n") + 1
            if not (content := self._parsed(self._bare(Span(start + line, start + len(text))))):
                break
            yield content
            text = text[:line].rstrip(_PUNCTUATION)

    def _said(self) -> Any:
        final = self._markup.final
        text = self._text[final.start : final.end].rstrip()
        paragraph = Span(final.start + text.rfind("\n\n") + 1, final.end)
        stated = [
            candidate
            for says in self._outside_values(self._form.said, paragraph)
            if (candidate := self._stated_at(says.end()))
        ]
        if not stated:
            raise NoAnswer(Problem.MISSING)
        if not all(self._same(stated[0], other) for other in stated[1:]):
            raise NoAnswer(Problem.AMBIGUOUS)
        return self._last_of(stated, beside=stated)

    def _last_of(self, candidates: list[_Candidate], *, beside: list[_Candidate]) -> Any:
        """Return the last value, unless it is one of a list or something broken follows."""
        last = candidates[-1]
        if _HEDGE.match(self._text, last.span.end):
            raise NoAnswer(Problem.AMBIGUOUS)
        for other in sorted(beside, key=lambda other: other.span.end, reverse=True):
            if other.span.end <= last.span.start and not self._same(other, last):
                if _LISTING.fullmatch(self._text, other.span.end, last.span.start):
                    raise NoAnswer(Problem.AMBIGUOUS)
                break
        self._refuse_malformed(after=last.span.end)
        return last.value

    def _refuse_malformed(self, *, after: int) -> None:
        """Refuse what comes before an answer in the asked-for form that cannot be read."""
        region = Span(after, max(after, self._markup.final.end))
        if any(True for _ in self._outside_values(self._form.wrapper, region)):
            raise NoAnswer(Problem.MALFORMED)

    def _same(self, one: _Candidate, other: _Candidate) -> bool:
        return values.equal(_unwrap(one.value, self._form), _unwrap(other.value, self._form))

    def _stated_at(self, position: int) -> _Candidate | None:
        """Return the value that begins at a position, if the statement ends with it."""
        end = self._markup.final.end
        decoration = _DECORATION.match(self._text, position, end)
        start = decoration.end() if decoration else position
        value: _Candidate | None = None
        if bracket := self._markup.bracket_at(start):
            value = self._parsed(bracket)
        elif scalar := _SCALAR.match(self._text, start, end):
            value = self._parsed(Span(*scalar.span()))
        if value and _STATEMENT_END.match(self._text, value.span.end, end):
            return value
        return None

    def _outermost_values(self) -> Iterator[_Candidate]:
        """Yield the code blocks and bracketed texts that are values, by position."""
        end = 0
        for span in sorted([*self._markup.blocks, *self._markup.brackets], key=_start):
            if span.start >= end and (value := self._parsed(span)):
                end = span.end
                yield value

    def _outside_values(self, pattern: re.Pattern[str], region: Span) -> Iterator[re.Match[str]]:
        """Yield the matches that are not part of a value."""
        for match in pattern.finditer(self._text, region.start, region.end):
            index = bisect_right(self._values, match.start(), key=_by_position)
            if index == 0 or self._values[index - 1].span.end <= match.start():
                yield match

    def _bare(self, span: Span) -> Span:
        """Leave out the decoration before a value and the punctuation after it."""
        decoration = _DECORATION.match(self._text, span.start, span.end)
        start = decoration.end() if decoration else span.start
        end = start + len(self._text[start : span.end].rstrip(_PUNCTUATION))
        return Span(start, end)

    def _parsed(self, span: Span, parser: Callable[[str], Any] = parse) -> _Candidate | None:
        text = self._text[span.start : span.end]
        start = span.start + len(text) - len(text.lstrip())
        text = text.strip()
        try:
            return _Candidate(Span(start, start + len(text)), parser(text))
        except ValueError:
            return None


def _start(span: Span) -> int:
    return span.start


def _by_position(candidate: _Candidate) -> int:
    return candidate.span.start
