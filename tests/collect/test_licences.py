from __future__ import annotations

import pytest

from codeio.collect import licences
from codeio.runtime.settings import CollectSettings

ALLOWED = CollectSettings().licences

MIT = """MIT License

Copyright (c) 2024 The authors

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.
"""
BSD2 = """Copyright 2024 The authors. All rights reserved.

Redistribution and use in source and binary forms, with or without modification,
are permitted provided that the following conditions are met:
1. Redistributions of source code must retain the above copyright notice.
2. Redistributions in binary form must reproduce the above copyright notice.
"""
BSD3 = BSD2 + (
    "3. Neither the name of the copyright holder nor the names of its contributors may be\n"
    "used to endorse or promote products derived from this software.\n"
)


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        (MIT, "MIT"),
        (MIT + "\nThe Software shall be used for Good, not Evil.\n", "JSON"),
        (MIT + '\n"Commons Clause" License Condition v1.0\n', "LicenseRef-Commons-Clause"),
        (BSD2, "BSD-2-Clause"),
        (BSD3, "BSD-3-Clause"),
        (BSD3 + "All advertising materials mentioning features must say so.", "BSD-4-Clause"),
        (MIT + BSD3, "BSD-3-Clause AND MIT"),
        ("GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007", "GPL-3.0-or-later"),
        ("GNU LESSER GENERAL PUBLIC LICENSE\nVersion 2.1, February 1999", "LGPL-2.1-or-later"),
        ("This is free and unencumbered software released into the public domain.", "Unlicense"),
        ("SPDX-License-Identifier: Apache-2.0 OR MIT", "Apache-2.0 OR MIT"),
        ("Do as you like, within reason.", ""),
    ],
)
def test_texts_are_recognised(text: str, licence: str) -> None:
    assert licences.from_text(text) == licence


@pytest.mark.parametrize(
    ("name", "licence"),
    [
        ("mit", "MIT"),
        ("MIT License", "MIT"),
        ("License :: OSI Approved :: MIT License", "MIT"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("Apache 2.0", "Apache-2.0"),
        ("BSD-3-Clause OR gpl-2.0-only", "BSD-3-Clause OR GPL-2.0-only"),
        ("GPLv3", "GPL-3.0-only"),
        ("LicenseRef-Ours", "LicenseRef-Ours"),
        ("BSD", ""),
        ("see the file", ""),
        ("no_license", ""),
        ("((", ""),
        ("MIT AND", ""),
    ],
)
def test_names_become_expressions(name: str, licence: str) -> None:
    assert licences.from_name(name) == licence


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("BSD-3-Clause AND (MIT OR GPL-3.0-only)", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
        ("LicenseRef-Ours", False),
    ],
)
def test_an_expression_is_allowed_when_it_can_be_met(expression: str, allowed: bool) -> None:
    assert licences.is_allowed(expression, ALLOWED) is allowed


@pytest.mark.parametrize(
    ("code", "licence"),
    [
        ("# SPDX-License-Identifier: MIT\nx = 1\n", "MIT"),
        ('"""Sums.\n\nLicensed under the Apache License, Version 2.0.\n"""\n', "Apache-2.0"),
        ("# " + MIT.replace("\n", "\n# ") + "\nimport os\n", "MIT"),
        ("# under the GNU General Public License, version 2.\nx = 1\n", "GPL-2.0-or-later"),
        ("import re\nGPL = 'GNU General Public License version 2'\n", ""),
        ("x = 1\n", ""),
    ],
)
def test_notices_at_the_head_of_a_file_are_read(code: str, licence: str) -> None:
    assert licences.from_header(code) == licence


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        ("License-Expression: MIT OR Apache-2.0\nLicense: GPL", "MIT OR Apache-2.0"),
        ("License: MIT\nClassifier: License :: OSI Approved :: Apache Software License", "MIT"),
        ("License: a whole\n text\nClassifier: License :: OSI Approved :: MIT License", "MIT"),
        ("Classifier: License :: OSI Approved :: BSD License", ""),
        (
            "Classifier: License :: OSI Approved\n"
            "Classifier: License :: OSI Approved :: ISC License (ISCL)",
            "ISC",
        ),
        ("Classifier: License :: Other/Proprietary License", "LicenseRef-Proprietary"),
        ("Name: x", ""),
    ],
)
def test_metadata_of_packages_are_read(metadata: str, licence: str) -> None:
    assert licences.from_metadata(metadata.encode()) == licence
