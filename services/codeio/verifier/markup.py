"""What stands where in a response: bracketed texts, code blocks, reasoning, marked answers.

One pass over the text, linear whatever the text. Nothing is judged here.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, field

_STRUCTURE = r"""
    (?P<open>[{\[])
  | (?P<fence>^[ \t]*(?:`{3,}|~{3,})[ \t]*[\w+.-]*[ \t]*$)
  | (?P<tag><(?P<closing>/?)(?P<name>think|thinking|reasoning|answer)>)
"""
# The same outside of brackets, where most of a text is prose: it begins with one of few
# characters, for which `re` looks many times as fast as for alternatives. That nothing but
# blanks stands before a fence is left to whoever uses it.
_OUTSIDE = re.compile(
    r"""
    [{\[<`~]
    (?: (?<=[{\[])(?P<open>)
      | (?:(?<=`)(?<!``)`{2,}+|(?<=~)(?<!~~)~{2,}+)(?P<fence>[ \t]*+[\w+.-]*+[ \t]*+$)
      | (?<=<)(?P<tag>(?P<closing>/?)(?P<name>(?i:think|thinking|reasoning|answer))>)
    )
    """,
    re.VERBOSE | re.MULTILINE,
)
# Quotes mean a string only inside brackets, and an apostrophe inside a word
# never does: prose is full of both.
_INSIDE = re.compile(
    r"""
    (?P<string>"(?:[^"\\\n]++|\\.)*+"|(?<!\w)'(?:[^'\\\n]++|\\.)*+'(?!\w))
  | \\.
  | (?P<close>[}\]])
  | (?P<blank>\n(?=[ \t]*\n))
  """
    + "|"
    + _STRUCTURE,
    re.VERBOSE | re.MULTILINE | re.IGNORECASE,
)
_PARTNER = {"}": "{", "]": "["}

# Prose may put an answer inside brackets of its own, but not many of them; and
# the answer is at the end. That bounds the work that a hostile text can cause.
_MAX_DEPTH = 16
_HORIZON = 1 << 17
_MAX_BLOCKS = 100


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of the text."""

    start: int
    end: int

    def __contains__(self, inner: Span) -> bool:
        return self.start <= inner.start and inner.end <= self.end


@dataclass(frozen=True)
class Markup:
    """The parts of a text, each list in the order of the text and all inside `final`."""

    final: Span
    """What is left without the reasoning."""
    brackets: list[Span]
    """From an opening bracket to its partner, both included; nested ones follow their outer one."""
    blocks: list[Span]
    """Contents of the last fenced code blocks; the very last one may lack its closing fence."""
    answers: list[Span]
    """Contents of `<answer>` elements; the last one may lack its closing tag."""

    def bracket_at(self, position: int) -> Span | None:
        """Return the brackets that open at a position."""
        index = bisect_left(self.brackets, position, key=lambda span: span.start)
        if index < len(self.brackets) and self.brackets[index].start == position:
            return self.brackets[index]
        return None


@dataclass
class _Scan:
    horizon: int
    """Brackets that open before are of no interest."""
    stack: list[tuple[str, int]] = field(default_factory=list)
    """Brackets that are open: which, and where."""
    brackets: list[Span] = field(default_factory=list)
    fences: list[Span] = field(default_factory=list)
    tags: list[re.Match[str]] = field(default_factory=list)

    def close(self, bracket: str, end: int) -> None:
        partner = _PARTNER[bracket]
        if any(opened == partner for opened, _ in self.stack[-_MAX_DEPTH:]):
            while True:
                opened, start = self.stack.pop()
                if opened == partner:
                    break
            if len(self.stack) < _MAX_DEPTH and start >= self.horizon:
                self.brackets.append(Span(start, end))


def mark_up(text: str) -> Markup:
    scan = _Scan(horizon=len(text) - _HORIZON)
    position = 0
    while token := (_INSIDE if scan.stack else _OUTSIDE).search(text, position):
        position, start = token.end(), token.start()
        if token.re is _OUTSIDE and token.lastgroup == "fence":
            start = text.rfind("\n", 0, start) + 1
            if text[start : token.start()].strip(" \t"):
                continue
        match token.lastgroup:
            case "open":
                scan.stack.append((token[0], token.start()))
            case "close":
                scan.close(token[0], token.end())
            case "blank" | "fence" | "tag":
                # What was open before is not JSON but prose.
                scan.stack.clear()
                if token.lastgroup == "fence":
                    scan.fences.append(Span(start, token.end()))
                elif token.lastgroup == "tag":
                    scan.tags.append(token)
    reasoning = [tag for tag in scan.tags if tag["name"].lower() != "answer"]
    answers = [tag for tag in scan.tags if tag["name"].lower() == "answer"]
    final = _without_reasoning(reasoning, len(text))
    return Markup(
        final=final,
        brackets=sorted(
            (span for span in scan.brackets if span in final), key=lambda span: span.start
        ),
        blocks=_blocks([fence for fence in scan.fences if fence in final], final)[-_MAX_BLOCKS:],
        answers=_between([tag for tag in answers if Span(*tag.span()) in final], final),
    )


def _without_reasoning(tags: list[re.Match[str]], length: int) -> Span:
    """Return what follows the last reasoning that was closed, up to one that was not."""
    start, end = 0, length
    for tag in tags:
        if tag["closing"]:
            start, end = tag.end(), length
        else:
            end = min(end, tag.start())
    return Span(start, max(start, end))


def _between(tags: list[re.Match[str]], region: Span) -> list[Span]:
    """Return what each opening tag encloses; the last one may lack its partner."""
    ends = [*(tag.start() for tag in tags[1:]), region.end]
    return [
        Span(tag.end(), end) for tag, end in zip(tags, ends, strict=False) if not tag["closing"]
    ]


def _blocks(fences: list[Span], region: Span) -> list[Span]:
    ends = [*(fence.start for fence in fences[1:]), region.end]
    return [Span(fence.end, end) for fence, end in zip(fences, ends, strict=False)][::2]
