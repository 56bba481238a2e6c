"""What one job leaves, no other one finds: not in memory, not in files, not in the kernel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from codeio.executor.sandbox import make_pool
from codeio.runtime.settings import load_settings
from tests.executor.jobs import answer, call

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from codeio.executor.sandbox.pool import Pool

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
async def one() -> AsyncIterator[Pool]:
    """A pool of one guest, so that each job comes to the place of the one before."""
    settings = load_settings(flags={"sandbox": {"workers": 1}})
    async with make_pool(settings, say=lambda _: None) as pool:
        yield pool


# What a job does, and what the next one looks for.
LEFT = {
    "modules and builtins": (
        "import builtins, json, math, random, sys\n"
        "for module in (builtins, json, math, random, sys):\n    module.left = 1\n"
        "sys.modules['left'] = sys\nbuiltins.len = lambda _: -1\njson.dumps = None\n",
        "sorted(m.__name__ for m in (builtins, json, math, random, sys) if hasattr(m, 'left'))"
        " + [n for n in sys.modules if n == 'left'] + [len('xx') - 2] * (len('xx') != 2)",
    ),
    "the state of generators": ("random.seed(5)\nrandom.random()\n", "[]"),
    "files": (
        "def put(place):\n"
        "    try:\n        open(place + '/left', 'w').close()\n"
        "    except OSError:\n        pass\n"
        "for place in ('.', '/tmp', '/dev', '/dev/shm', '/dev/mqueue', '/', '/proc', '/sys',"
        " '/usr', '/codeio', '/packages', '/var/tmp', '/run'):\n    put(place)\n",
        "[p for p in ('.', '/tmp', '/dev', '/dev/shm', '/dev/mqueue', '/', '/usr', '/codeio',"
        " '/packages', '/var/tmp', '/run') if os.path.exists(p + '/left')] + os.listdir('.')",
    ),
    "the process's own": (
        "os.umask(0o123)\nos.environ['LEFT'] = '1'\nos.nice(3)\nsys.setrecursionlimit(77)\n"
        "libc.prctl(15, b'left', 0, 0, 0)\n",
        "[n for n in os.environ if n == 'LEFT'] + [os.nice(0)] * (os.nice(0) != 0)"
        " + [sys.getrecursionlimit()] * (sys.getrecursionlimit() == 77)"
        " + [oct(os.umask(0))] * (os.umask(0o22) == 0o123)",
    ),
    "sockets without a file": (
        "import socket\n"
        "try:\n"
        "    kept = socket.socket(socket.AF_UNIX)\n    kept.bind('\\0left')\n    kept.listen()\n"
        "except OSError:\n    pass\n",
        "[line for line in open('/proc/net/unix') if 'left' in line]"
        " if os.path.exists('/proc/net/unix') else []",
    ),
    "shared memory and queues": (
        "[libc.shmget(77, 4096, 0o1666), libc.semget(77, 1, 0o1666), libc.msgget(77, 0o1666)]\n",
        "[n for n in (libc.shmget(77, 4096, 0), libc.semget(77, 1, 0), libc.msgget(77, 0))"
        " if n >= 0]",
    ),
}
HEAD = "import builtins, ctypes, json, math, os, random, sys\nlibc = ctypes.CDLL(None)\n"


@pytest.mark.parametrize("what", LEFT)
async def test_nothing_is_left_of(one: Pool, what: str) -> None:
    leave, look = LEFT[what]
    await call(one, f"{HEAD}{leave}def main_solution():\n    return 1\n", {})
    found = f"{HEAD}def main_solution():\n    return {look}\n"
    assert await answer(one, found) == []
    assert os.environ.get("LEFT") is None


async def test_a_job_draws_at_random_as_if_no_other_had_been(one: Pool) -> None:
    code = "import random\ndef main_solution():\n    return random.random()\n"
    first = await answer(one, code)
    await call(one, "import random\nrandom.seed(3)\ndef main_solution():\n    return 1\n", {})
    assert await answer(one, code) == first


async def test_a_child_has_its_streams_and_its_reports_and_no_other_descriptor() -> None:
    """In whichever interpreter, however many descriptors their init has by then."""
    code = (
        "import fcntl\n"
        "def main_solution():\n"
        "    found = []\n"
        "    for fd in range(2000):\n"
        "        try:\n            fcntl.fcntl(fd, fcntl.F_GETFD)\n"
        "        except OSError:\n            continue\n"
        "        found.append(fd)\n"
        "    return found\n"
    )
    settings = load_settings(flags={"sandbox": {"workers": 1}})
    async with make_pool(settings, say=lambda _: None) as pool:
        for number in range(12):
            imported = ("", "import statistics\n", "import numpy\n")[number >> 2]
            [result] = await call(
                pool, imported + code, {}, replica=number & 1, trace_steps=number & 2
            )
            assert result.output_json == "[0, 1, 2, 3]", (number, result)


SCRIBBLE = """
import ctypes
def main_solution(area, value):
    areas = []
    for line in open('/proc/self/maps'):
        place, permissions, *rest = line.split(None, 5)
        start, end = (int(part, 16) for part in place.split('-'))
        if permissions.startswith('rw') and not (rest[3:] and rest[3].startswith('[stack')):
            areas.append((end - start, start))
    areas.sort()
    for size, start in areas if area < 0 else areas[area:area + 1]:
        ctypes.memset(start, value, size)
    return area
"""


@pytest.mark.parametrize("imported", ["", "import statistics\n", "import numpy\n"])
async def test_memory_that_a_job_overwrites_is_what_it_was_for_the_next(
    one: Pool, imported: str
) -> None:
    """A child works in its interpreter's memory; here it ruins all of it that it can reach."""
    guest = one._slots.all[0].starting
    for area in (-1, *range(50)):
        await call(one, imported + SCRIBBLE, {"area": area, "value": (0, 255, 0xCC)[area % 3]})
        code = f"{imported}def main_solution(n):\n    return [n, sorted({{'b', 'a'}}), 2 ** n]\n"
        assert await answer(one, code, n=area + 2) == [area + 2, ["a", "b"], 2 ** (area + 2)]
    # It was not even harmed.
    assert one._slots.all[0].starting is guest


def test_the_host_holds_as_much_after_hundreds_of_jobs_as_before(tmp_path: Path) -> None:
    """In a process of its own: what other tests have left comes and goes at a time of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.executor.many_jobs"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
