"""Says how far the study is, and about how long the rest takes."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field


@dataclass
class Progress:
    """Work in units of about a second on two quiet cores."""

    units: float = 0.0
    """All that is to be done now, once that is known; what an earlier call did is not counted."""
    done: float = 0.0
    begun: float = field(default_factory=time.monotonic)

    def say(self, line: str) -> None:
        print(f"[{self._share():4.0%}, {self._left()}] {line}", file=sys.stderr, flush=True)

    def advance(self, units: float) -> None:
        self.done += units

    def _share(self) -> float:
        return min(1.0, self.done / self.units) if self.units else 1.0

    def _left(self) -> str:
        left = max(0.0, self.units - self.done)
        passed = time.monotonic() - self.begun
        # Until something was measured, a unit is taken for a second.
        pace = passed / self.done if self.done > 0.02 * self.units else 1.0
        hours, minutes = divmod(round(left * pace / 60), 60)
        return f"{hours} h {minutes:02} min left" if hours else f"{minutes} min left"
