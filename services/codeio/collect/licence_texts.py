"""Recognises licences by sentences that stand in their texts and notices.

Each family is told apart by the words that only some of its members hold, the
most demanding member first. A text may hold several families: all apply.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Terms that take back what the licence around them grants.
_RESTRICTIONS = (
    ("commons clause", "LicenseRef-Commons-Clause"),
    ("noncommercial", "LicenseRef-Noncommercial"),
    ("non commercial purposes only", "LicenseRef-Noncommercial"),
    ("not for commercial use", "LicenseRef-Noncommercial"),
    ("creative commons attribution non commercial", "LicenseRef-Noncommercial"),
    ("business source license", "BUSL-1.1"),
    ("server side public license", "SSPL-1.0"),
    ("functional source license", "LicenseRef-FSL"),
    ("solderpad hardware license", "SHL-0.51"),
    ("military facility", "LicenseRef-No-Military"),
    ("all rights reserved proprietary", "LicenseRef-Proprietary"),
    ("proprietary and confidential", "LicenseRef-Proprietary"),
)


@dataclass(frozen=True, slots=True)
class _Member:
    identifier: str
    has: tuple[str, ...]
    """Phrases in lower case without punctuation that must all occur."""
    lacks: tuple[str, ...] = ()


_MIT_GRANT = "permission is hereby granted free of charge to any person obtaining"
_MIT_RIGHTS = "without restriction including without limitation the rights to"
_BSD_GRANT = "redistribution and use in source and binary forms"
_BSD_CONDITIONS = (
    "conditions are met",
    "must retain the",
    "in binary form must reproduce the above copyright",
)
_ISC_GRANT = "permission to use copy modify and or distribute this software for any purpose with"
_ISC_GRANT_OLD = "permission to use copy modify and distribute this software for any purpose with"
_HPND_GRANT = "permission to use copy modify and distribute this software and its documentation"

_FAMILIES: tuple[tuple[_Member, ...], ...] = (
    (
        _Member("JSON", (_MIT_GRANT, "used for good not evil")),
        _Member("X11", (_MIT_GRANT, "shall not be used in advertising")),
        _Member("LicenseRef-MIT-advertising", (_MIT_GRANT, "advertising"), lacks=(_BSD_GRANT,)),
        _Member("MITNFA", (_MIT_GRANT, "distributions of all or part of the software")),
        _Member("NCSA", (_MIT_GRANT, "endorse or promote products"), lacks=(_BSD_GRANT,)),
        _Member("MIT", (_MIT_GRANT, _MIT_RIGHTS, "above copyright notice")),
        _Member("MIT-0", (_MIT_GRANT, _MIT_RIGHTS, "to do so the software is provided as is")),
        _Member("MIT", ("licensed under the mit license",)),
        _Member("MIT", ("under the terms of the mit license",)),
        _Member("MIT", ("released under the mit license",)),
        _Member("MIT", ("this module is under the mit license",)),
        _Member("MIT", ("distributed under the mit license",)),
        _Member("MIT", ("license mit",), lacks=(_BSD_GRANT,)),
    ),
    (
        _Member("BSD-4-Clause", (_BSD_GRANT, "all advertising materials mentioning")),
        _Member("BSD-3-Clause-Clear", (_BSD_GRANT, "no express or implied licenses to any party")),
        _Member("LicenseRef-BSD-nuclear", (_BSD_GRANT, "nuclear facility")),
        _Member("Apache-1.1", (_BSD_GRANT, "must include the following acknowledgment")),
        _Member("LicenseRef-BSD-acknowledgment", (_BSD_GRANT, "acknowledgment")),
        _Member("Sleepycat", (_BSD_GRANT, "complete source code")),
        _Member("BSD-3-Clause", (_BSD_GRANT, *_BSD_CONDITIONS, "endorse or promote products")),
        _Member("BSD-2-Clause", (_BSD_GRANT, *_BSD_CONDITIONS)),
        _Member("LicenseRef-BSD-like", (_BSD_GRANT,)),
        _Member("BSD-3-Clause", ("under the terms of the new bsd license",)),
        _Member("BSD-3-Clause", ("under the terms of the modified bsd license",)),
        _Member("BSD-3-Clause", ("3 clause bsd license",)),
        _Member("BSD-2-Clause", ("2 clause bsd license",)),
    ),
    (
        _Member("Apache-2.0", ("licensed under the apache license version 2 0",)),
        _Member("Apache-2.0", ("under the terms of the apache license version 2 0",)),
        _Member("Apache-2.0", ("apache license version 2 0 january 2004", "grant of patent")),
    ),
    (
        _Member("ISC", (_ISC_GRANT, "provided that the above copyright notice")),
        _Member("ISC", (_ISC_GRANT_OLD, "provided that the above copyright notice")),
        _Member("0BSD", (_ISC_GRANT, "or without fee is hereby granted")),
    ),
    (
        _Member("Python-2.0", ("python software foundation license version 2", "beopen")),
        _Member("PSF-2.0", ("python software foundation license version 2",)),
        _Member("PSF-2.0", ("licensed to psf under a contributor agreement",)),
        _Member("HPND", (_HPND_GRANT,)),
    ),
    (
        _Member("BSL-1.0", ("boost software license version 1 0",)),
        _Member("BSL-1.0", ("copy of the software and accompanying documentation covered",)),
    ),
    (
        _Member(
            "Zlib",
            (
                "altered source versions must be plainly marked as such",
                "must not be misrepresented",
            ),
            lacks=("an acknowledgment see the following in the product documentation is required",),
        ),
    ),
    (
        _Member("Unlicense", ("free and unencumbered software released into the public domain",)),
        _Member("CC0-1.0", ("cc0 1 0",)),
        _Member("CC0-1.0", ("creativecommons org publicdomain zero 1 0",)),
    ),
    (
        _Member("MPL-2.0", ("subject to the terms of the mozilla public license v 2 0",)),
        _Member("MPL-2.0", ("mozilla public license version 2 0",)),
        _Member("MPL-1.1", ("mozilla public license version 1 1",)),
        _Member("EPL-2.0", ("eclipse public license",)),
        _Member("CDDL-1.0", ("common development and distribution license",)),
        _Member("EUPL-1.2", ("european union public licence",)),
        _Member("CECILL-2.1", ("cecill",)),
        _Member("AFL-3.0", ("academic free license",)),
        _Member("Artistic-2.0", ("artistic license",)),
        _Member("WTFPL", ("do what the fuck you want to public license",)),
    ),
    (
        _Member("CC-BY-NC-4.0", ("attribution noncommercial",)),
        _Member("CC-BY-ND-4.0", ("attribution noderivatives",)),
        _Member("CC-BY-SA-4.0", ("attribution sharealike",)),
        _Member("CC-BY-4.0", ("creative commons attribution",)),
    ),
)

_GNU = re.compile(r"gnu (affero |lesser |library or lesser |library )?(general )?public licen[sc]e")
_GNU_SHORT = re.compile(r"\b([al]?)gpl ?v?(?:ersion )?([123])\b")
_GNU_VERSION = re.compile(r"\bv(?:ersion )?([123])(?: (1))?\b")


def recognise(text: str) -> list[str]:
    """Return the SPDX identifiers of the licences that a text or notice states."""
    words = " ".join(re.findall(r"\w+", text.lower())).replace("licence", "license")
    restriction = next((name for phrase, name in _RESTRICTIONS if phrase in words), None)
    if restriction is not None:
        return [restriction]
    found = [member.identifier for family in _FAMILIES if (member := _member(family, words))]
    gnu = _gnu(words)
    return [*found, gnu] if gnu else found


def _member(family: tuple[_Member, ...], words: str) -> _Member | None:
    return next(
        (
            member
            for member in family
            if all(phrase in words for phrase in member.has)
            and not any(phrase in words for phrase in member.lacks)
        ),
        None,
    )


def _gnu(words: str) -> str | None:
    """Return the GNU licence that is named, with the version that follows it."""
    named = _GNU.search(words)
    if named is None:
        short = _GNU_SHORT.search(words)
        return f"{short[1].upper()}GPL-{short[2]}.0-or-later" if short else None
    kind = (named[1] or "").strip()
    prefix = "AGPL" if kind == "affero" else "LGPL" if kind else "GPL"
    version = _GNU_VERSION.search(words, named.end(), named.end() + 200) or _GNU_VERSION.search(
        words, max(0, named.start() - 60), named.start()
    )
    number = f"{version[1]}.{version[2] or 0}" if version else "1.0" if prefix != "LGPL" else "2.0"
    known = {"GPL": {"1.0", "2.0", "3.0"}, "LGPL": {"2.0", "2.1", "3.0"}, "AGPL": {"1.0", "3.0"}}
    if number not in known[prefix]:
        number = "3.0"
    return f"{prefix}-{number}-or-later"
