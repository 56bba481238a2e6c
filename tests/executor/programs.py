"""Programs that behave badly, and what must be said of each."""

from __future__ import annotations

from codeio.v1.execution_pb2 import Outcome

HONEST = "def main_solution(a, b):\n    return {'sum': a + b}\n"

# What the call ends with, by name of the misdeed.
HOSTILE: dict[str, tuple[str, Outcome]] = {
    "loops for ever": (
        "def main_solution(a):\n    while True:\n        pass\n",
        Outcome.OUTCOME_CPU_TIMEOUT,
    ),
    "allocates without end": (
        "def main_solution(a):\n"
        "    kept = []\n"
        "    while True:\n"
        "        kept.append(bytearray(10**8))\n",
        Outcome.OUTCOME_MEMORY,
    ),
    "allocates at once": (
        "def main_solution(a):\n    return len(bytearray(10**10))\n",
        Outcome.OUTCOME_MEMORY,
    ),
    "forks without end": (
        "import os\ndef main_solution(a):\n    while True:\n        os.fork()\n",
        Outcome.OUTCOME_RAISED,
    ),
    "starts threads without end": (
        "import threading, time\n"
        "def main_solution(a):\n"
        "    while True:\n"
        "        threading.Thread(target=time.sleep, args=(99,)).start()\n",
        Outcome.OUTCOME_RAISED,
    ),
    "starts a shell": (
        "import subprocess\ndef main_solution(a):\n    return subprocess.run(['sh']).returncode\n",
        Outcome.OUTCOME_RAISED,
    ),
    "fills the disk": (
        "def main_solution(a):\n"
        "    with open('big', 'w') as file:\n"
        "        while True:\n"
        "            file.write('x' * 100_000)\n",
        Outcome.OUTCOME_RAISED,
    ),
    "prints a gigabyte": (
        "def main_solution(a):\n    for _ in range(1000):\n        print('x' * 10**6)\n",
        Outcome.OUTCOME_OUTPUT_FLOOD,
    ),
    "floods a descriptor": (
        "import os\ndef main_solution(a):\n    while True:\n        os.write(1, b'x' * 10**5)\n",
        Outcome.OUTCOME_OUTPUT_FLOOD,
    ),
    "raises": ("def main_solution(a):\n    return 1 // 0\n", Outcome.OUTCOME_RAISED),
    "ends the process": (
        "import os\ndef main_solution(a):\n    os._exit(0)\n",
        Outcome.OUTCOME_EXITED,
    ),
    "calls exit": (
        "import sys\ndef main_solution(a):\n    sys.exit('bye')\n",
        Outcome.OUTCOME_EXITED,
    ),
    "crashes": (
        "import ctypes\ndef main_solution(a):\n    ctypes.string_at(0)\n",
        Outcome.OUTCOME_CRASHED,
    ),
    "returns a set": ("def main_solution(a):\n    return {1, 2}\n", Outcome.OUTCOME_NOT_JSON),
    "returns NaN": ("def main_solution(a):\n    return float('nan')\n", Outcome.OUTCOME_NOT_JSON),
    "returns a cycle": (
        "def main_solution(a):\n    x = []\n    x.append(x)\n    return x\n",
        Outcome.OUTCOME_NOT_JSON,
    ),
    "returns a million levels": (
        "def main_solution(a):\n"
        "    x = []\n"
        "    for _ in range(10**6):\n"
        "        x = [x]\n"
        "    return x\n",
        Outcome.OUTCOME_NOT_JSON,
    ),
    "returns two keys that are one in JSON": (
        "def main_solution(a):\n    return {1: 'a', '1': 'b'}\n",
        Outcome.OUTCOME_NOT_JSON,
    ),
    "returns half a surrogate pair": (
        "def main_solution(a):\n    return '\\ud800'\n",
        Outcome.OUTCOME_NOT_JSON,
    ),
    "returns too much": (
        "def main_solution(a):\n    return list(range(50))\n",
        Outcome.OUTCOME_TOO_LARGE,
    ),
    "is no Python": ("def main_solution(a) return a\n", Outcome.OUTCOME_LOAD_FAILED),
    "lacks its entry point": ("x = 1\n", Outcome.OUTCOME_LOAD_FAILED),
    "imports what is not there": (
        "import tensorflow\ndef main_solution(a):\n    return a\n",
        Outcome.OUTCOME_LOAD_FAILED,
    ),
    "opens a connection": (
        "import socket\n"
        "def main_solution(a):\n"
        "    socket.create_connection(('127.0.0.1', 80), timeout=1)\n",
        Outcome.OUTCOME_RAISED,
    ),
    "kills everything": (
        "import os, signal\ndef main_solution(a):\n    os.kill(-1, signal.SIGKILL)\n    return 1\n",
        Outcome.OUTCOME_RAISED,
    ),
}
