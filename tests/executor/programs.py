"""Programs that tests of several areas run."""

from __future__ import annotations

HONEST = "def main_solution(a, b):\n    return {'sum': a + b}\n"
ENDLESS = "def main_solution(a):\n    while True:\n        pass\n"
