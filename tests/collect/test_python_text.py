from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeio.collect.python_text import decode, modernise
from codeio.runtime.errors import Rejected


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"\xef\xbb\xbfx = 1\r\ny = 2\r", "x = 1\ny = 2\n"),
        (b"# -*- coding: latin-1 -*-\nx = '\xe9'\n", "# -*- coding: latin-1 -*-\nx = 'é'\n"),
        ("\ufeffx = 1\r\n", "x = 1\n"),
        ("x = 'é'", "x = 'é'"),
    ],
)
def test_text_is_read_as_python_reads_it(content: bytes | str, text: str) -> None:
    assert decode(content) == text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"x = '\xe9'", "not_text"),
        (b"# coding: no-such\nx", "not_text"),
        (b"# coding: idna\nx", "not_text"),
        (b"# coding: utf-16\nx = 1", "not_text"),
        (b"\x00\x01\x02", "not_text"),
        ("x = '\0'", "not_text"),
        ("x = '\ud800'", "not_text"),
        (b"", "empty"),
        (" \n\t\n", "empty"),
    ],
)
def test_what_is_no_text_is_refused(content: bytes | str, reason: str) -> None:
    with pytest.raises(Rejected) as refusal:
        decode(content)
    assert refusal.value.reason == reason


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300)))
def test_any_content_is_decoded_or_refused(content: bytes | str) -> None:
    try:
        text = decode(content)
    except Rejected:
        return
    assert "\r" not in text
    assert text.encode()


def test_python_3_stays_as_it_is_and_its_warnings_stay_quiet() -> None:
    text = "x = '\\d'\nif x is 'a': pass\n"
    assert modernise(text) == text


def test_python_2_is_converted_and_gives_the_same() -> None:
    text = (
        "import string\n"
        "def f(d):\n"
        "    try:\n"
        "        return [k for k, v in d.iteritems() if d.has_key(v) and v <> 3L]\n"
        "    except KeyError, e:\n"
        "        print 'no', e\n"
        "result = f(dict((unicode(i), i) for i in xrange(07)))\n"
    )
    names: dict[str, object] = {}
    exec(modernise(text), names)
    assert names["result"] == []


def test_tabs_count_up_to_the_next_multiple_of_eight() -> None:
    text = "if True:\n        x = 1\n\ty = 2\n"
    with pytest.raises(TabError):
        compile(text, "", "exec")
    names: dict[str, object] = {}
    exec(modernise(text), names)
    assert names["y"] == 2


@pytest.mark.parametrize(
    "text",
    [
        "def f(:\n",
        "print 'a" + "\n",
        "(" * 100_000,
        "x = " + "-" * 100_000 + "1",
        "x = a" + ".b" * 50_000,
        "print 1\nx = a" + ".b" * 300,
        "print 1\nx = a" + "(1)[2]" * 300,
        "print 1\nx = " + "(" * 5_000 + ")" * 5_000,
        "print 1\n" + "x = 'a' " + "'a' " * 15_000,
        "print 1\n" + "import urllib, urllib2, cPickle\n" * 5_000,
        "x = " + "9" * 5_000,
        "".join(" " * depth + "if x:\n" for depth in range(200)),
    ],
)
def test_hostile_text_is_refused_soon(text: str) -> None:
    with pytest.raises(Rejected) as refusal:
        modernise(text)
    assert refusal.value.reason == "not_parseable"


@given(st.text(alphabet="print(),x=1:'`<>\n\t \\[]{}@", max_size=60))
def test_whatever_comes_out_parses(text: str) -> None:
    try:
        modern = modernise(text)
    except Rejected:
        return
    ast.parse(modern)
