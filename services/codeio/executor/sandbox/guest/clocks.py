"""Clocks that say when they are read and, in replica 1, tell another time.

A pair whose output depends on the clock then does not reproduce. Interval
clocks move on at their true rate, so that programs which wait still work.
"""

import datetime as dt
import time
from collections.abc import Callable
from typing import Any

SHIFT_SECONDS = 400 * 86400 + 3 * 3600 + 17 * 60 + 11

_ORIGINALS = {"date": dt.date, "datetime": dt.datetime}


def install(shift: int, note: Callable[[str], None]) -> None:
    """Replace the clocks of `time`, which tell `note` of each reading, and shift all clocks."""
    real_time = time.time

    def now() -> float:
        note("clock")
        return real_time() + shift

    _install_time(shift, now)
    if shift:
        _install_dates(now)


def restore_dates() -> None:
    """Put the classes of `datetime` back: compiled packages rely on their layout in memory."""
    for name, original in _ORIGINALS.items():
        setattr(dt, name, original)


def _install_time(shift: int, now: Callable[[], float]) -> None:
    def shifted(read: Callable[[], float]) -> Callable[[], float]:
        return lambda: (now(), read() + shift)[1]

    def of_now(function: Callable[[float], Any]) -> Callable[..., Any]:
        return lambda seconds=None: function(now() if seconds is None else seconds)

    real_time_ns, real_strftime, real_asctime = time.time_ns, time.strftime, time.asctime
    replacements: dict[str, Callable[..., Any]] = {
        "time": now,
        "time_ns": lambda: (now(), real_time_ns() + shift * 10**9)[1],
        "monotonic": shifted(time.monotonic),
        "perf_counter": shifted(time.perf_counter),
        "localtime": of_now(time.localtime),
        "gmtime": of_now(time.gmtime),
        "ctime": of_now(time.ctime),
        "strftime": lambda form, moment=None: real_strftime(form, moment or time.localtime()),
        "asctime": lambda moment=None: real_asctime(moment or time.localtime()),
    }
    for name, function in replacements.items():
        setattr(time, name, function)


def _install_dates(now: Callable[[], float]) -> None:
    def today(cls: Any) -> Any:
        return cls.fromtimestamp(now())

    def now_in(cls: Any, tz: dt.tzinfo | None = None) -> Any:
        return cls.fromtimestamp(now(), tz)

    def utcnow(cls: Any) -> Any:
        return cls.fromtimestamp(now(), dt.UTC).replace(tzinfo=None)

    readings = {
        "date": {"today": today},
        "datetime": {"today": today, "now": now_in, "utcnow": utcnow},
    }
    for name, original in _ORIGINALS.items():
        body: dict[str, Any] = {key: classmethod(f) for key, f in readings[name].items()}
        body |= {"__slots__": (), "__module__": "datetime", "__qualname__": name}
        # With the module in its name it prints itself as the original does.
        setattr(dt, name, _like(original)(f"datetime.{name}", (original,), body))


def _like(original: type) -> Callable[..., type]:
    # What the library itself makes is an instance of the original class, not of ours.
    def of_original(cls: type, instance: object) -> bool:
        if original in cls.__bases__:
            return isinstance(instance, original)
        return type.__instancecheck__(cls, instance)

    return type("type", (type,), {"__instancecheck__": of_original})
