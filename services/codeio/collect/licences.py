"""Which licence a file is under, as an SPDX expression, and whether that is allowed.

Unknown is the empty string. Where several statements hold for one file, all
of them must be allowed.
"""

from __future__ import annotations

import re
from email.parser import BytesHeaderParser
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from license_expression import (
    ExpressionError,
    ExpressionParseError,
    LicenseSymbol,
    LicenseWithExceptionSymbol,
    get_spdx_licensing,
)

from codeio.collect.licence_texts import recognise

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from license_expression import Licensing

MAX_TEXT_BYTES = 256 << 10

# Where a notice can stand: in the comments and the docstring that open a file.
_HEAD_CHARS = 6000
_FIRST_STATEMENT = re.compile(r"^(import|from|def|class|@\w)\b", re.MULTILINE)

# The licence stack of Python is one text with several identifiers; the rest
# are names that people and the classifiers of package indexes use.
_ALIASES = {
    "python-2.0.1": "Python-2.0",
    "academic free license (afl)": "AFL-3.0",
    "apache": "Apache-2.0",
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "apache software license 2.0": "Apache-2.0",
    "apache2": "Apache-2.0",
    "boost software license 1.0 (bsl-1.0)": "BSL-1.0",
    "bsd 2-clause": "BSD-2-Clause",
    "bsd 2-clause license": "BSD-2-Clause",
    "simplified bsd": "BSD-2-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "3-clause bsd": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "new bsd": "BSD-3-Clause",
    "new bsd license": "BSD-3-Clause",
    "modified bsd license": "BSD-3-Clause",
    "bsd-3": "BSD-3-Clause",
    "cc0": "CC0-1.0",
    "cc0 1.0 universal (cc0 1.0) public domain dedication": "CC0-1.0",
    "expat": "MIT",
    "expat license": "MIT",
    "mit license": "MIT",
    "the mit license": "MIT",
    "the mit license (mit)": "MIT",
    "mit license (mit)": "MIT",
    "mit no attribution license (mit-0)": "MIT-0",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "psf": "PSF-2.0",
    "psfl": "PSF-2.0",
    "psf license": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
    "the unlicense": "Unlicense",
    "the unlicense (unlicense)": "Unlicense",
    "zlib/libpng license": "Zlib",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "mpl 2.0": "MPL-2.0",
    "gpl": "GPL-1.0-or-later",
    "gnu general public license (gpl)": "GPL-1.0-or-later",
    "gplv2": "GPL-2.0-only",
    "gplv2+": "GPL-2.0-or-later",
    "gnu general public license v2 (gplv2)": "GPL-2.0-only",
    "gnu general public license v2 or later (gplv2+)": "GPL-2.0-or-later",
    "gplv3": "GPL-3.0-only",
    "gplv3+": "GPL-3.0-or-later",
    "gnu general public license v3 (gplv3)": "GPL-3.0-only",
    "gnu general public license v3 or later (gplv3+)": "GPL-3.0-or-later",
    "lgpl": "LGPL-2.0-or-later",
    "gnu lesser general public license v2 (lgplv2)": "LGPL-2.0-only",
    "gnu lesser general public license v2 or later (lgplv2+)": "LGPL-2.0-or-later",
    "gnu lesser general public license v3 (lgplv3)": "LGPL-3.0-only",
    "gnu lesser general public license v3 or later (lgplv3+)": "LGPL-3.0-or-later",
    "gnu library or lesser general public license (lgpl)": "LGPL-2.0-or-later",
    "agpl": "AGPL-1.0-or-later",
    "agplv3": "AGPL-3.0-only",
    "gnu affero general public license v3": "AGPL-3.0-only",
    "gnu affero general public license v3 or later (agplv3+)": "AGPL-3.0-or-later",
    "other/proprietary license": "LicenseRef-Proprietary",
    "proprietary": "LicenseRef-Proprietary",
}
_SPDX_HEADER = re.compile(r"SPDX-License-Identifier:[ \t]*([^\n*\"']+)")
_HINT = re.compile(r"licen[sc]e|permission|redistribution|\b[al]?gpl|public domain", re.IGNORECASE)
_NO_LICENCE = frozenset(
    {"", "none", "unknown", "other", "noassertion", "no_license", "no license", "n/a", "null"}
)

# Either of two or more licences: no better than unknown.
_AMBIGUOUS = frozenset({"bsd", "bsd license", "bsd-like", "public domain", "permissive"})


def from_name(name: str) -> str:
    """Return the SPDX expression for an expression or a common name; empty when unknown."""
    name = " ".join(name.replace("License ::", " ").replace("OSI Approved ::", " ").split())
    key = name.lower().replace(",", "").removeprefix("the ")
    if key in _NO_LICENCE:
        return ""
    alias = _ALIASES.get(key) or _ALIASES.get(f"the {key}")
    if alias is not None:
        return alias
    return _expression(name)


def from_statement(name: str) -> str:
    """Return the expression for a licence that someone states outright.

    A name that nobody knows is still a licence, and not an allowed one.
    """
    known = from_name(name)
    if known or " ".join(name.split()).lower() in _NO_LICENCE | _AMBIGUOUS:
        return known
    return "LicenseRef-" + re.sub(r"[^A-Za-z0-9.]+", "-", name)[:60].strip("-")


def from_names(names: Iterable[str]) -> str:
    """Return the expression for names that all apply."""
    return all_of(from_name(name) for name in names)


def from_text(text: str) -> str:
    """Return the licence whose text or notice this is; empty when none is recognised."""
    tagged = _SPDX_HEADER.search(text)
    if tagged is not None:
        return from_name(tagged[1].strip())
    return all_of(recognise(text))


def from_header(code: str) -> str:
    """Return the licence that the first lines of a file state; empty when they state none."""
    head = code[:_HEAD_CHARS]
    if _HINT.search(head) is None:
        return ""
    statement = _FIRST_STATEMENT.search(head)
    return from_text(head[: statement.start()] if statement else head)


def from_metadata(data: bytes) -> str:
    """Return what a package's core metadata states.

    `License-Expression` is taken alone; else `License` where it is a name
    that is known, else the classifiers.
    """
    metadata = BytesHeaderParser().parsebytes(data)
    expression = from_name(metadata.get("License-Expression", ""))
    if expression:
        return expression
    stated = str(metadata.get("License", ""))
    if "\n" not in stated and from_name(stated):
        return from_name(stated)
    return from_names(
        classifier.rpartition("::")[2]
        for classifier in metadata.get_all("Classifier", [])
        if classifier.startswith("License ::") and not classifier.endswith("OSI Approved")
    )


def all_of(expressions: Iterable[str]) -> str:
    """Join expressions of which each holds; unknown ones are left out."""
    known = list(dict.fromkeys(expression for expression in expressions if expression))
    if len(known) < 2:
        return "".join(known)
    return str(_spdx().parse(" AND ".join(f"({expression})" for expression in known)).simplify())


def reconcile(stated: str, text: str) -> str:
    """Return what holds when metadata state one licence and a licence file holds another.

    An expression with a choice already speaks for all texts that come with it.
    """
    return stated if not text or " OR " in stated or " AND " in stated else all_of((stated, text))


@lru_cache(maxsize=4096)
def is_allowed(expression: str, allowed: Collection[str]) -> bool:
    """Tell whether an expression can be met with the allowed identifiers alone."""
    return _meets(_spdx().parse(expression), frozenset(allowed))


def _meets(node: object, allowed: frozenset[str]) -> bool:
    match node:
        case LicenseWithExceptionSymbol():
            # An exception gives permissions on top of its licence.
            return node.license_symbol.key in allowed
        case LicenseSymbol():
            return node.key in allowed
        case _:
            arguments = [_meets(argument, allowed) for argument in node.args]  # type: ignore[attr-defined]
            is_choice = type(node).__name__ == "OR"
            return any(arguments) if is_choice else all(arguments)


@lru_cache(maxsize=4096)
def _expression(text: str) -> str:
    try:
        parsed = _spdx().parse(text)
        unknown = _spdx().unknown_license_keys(parsed)
    except (ExpressionError, ExpressionParseError):
        return ""
    if parsed is None or any(not key.startswith("LicenseRef-") for key in unknown):
        return ""
    return str(parsed)


@cache
def _spdx() -> Licensing:
    return get_spdx_licensing()
