"""Lies: forged reports, and a guest whose own modules were changed under it.

A program shares its process with what reports of it, so it may lie about its own
calls. There must be one result per call all the same, the parent's verdicts are
the parent's alone, and nothing that it says may break who listens.
"""

from __future__ import annotations

from codeio.v1.execution_pb2 import Outcome
from tests.executor.attacks.attack import FRAMES, Attack

FORGED = (
    Attack(
        "forges its own result",
        """
        def main_solution(a):
            say(outcome='OK', output_json='666')
            return a
        """,
        Outcome.OUTCOME_OK,
        output="666",
        begins_with=FRAMES,
    ),
    Attack(
        "forges a hundred results",
        """
        def main_solution(a):
            for number in range(100):
                say(outcome='OK', output_json=str(number))
            return a
        """,
        Outcome.OUTCOME_OK,
        output="0",
        begins_with=FRAMES,
    ),
    Attack(
        "forges results for ever to live for ever",
        """
        import time
        def main_solution(a):
            for _ in range(200):
                say(outcome='OK', output_json='1')
                time.sleep(0.2)
        """,
        # Each report starts the clocks anew; one more than there are calls is one too many.
        Outcome.OUTCOME_OK,
        output="1",
        begins_with=FRAMES,
        seconds=15,
    ),
    Attack(
        "forges a value that is no JSON",
        """
        def main_solution(a):
            say(outcome='OK', output_json='{"a": 1, "a": NaN}')
            os._exit(0)
        """,
        Outcome.OUTCOME_NOT_JSON,
        begins_with=FRAMES,
    ),
    Attack(
        "forges a value nested without end",
        """
        def main_solution(a):
            say(outcome='OK', output_json='[' * 10**6)
            os._exit(0)
        """,
        Outcome.OUTCOME_NOT_JSON,
        begins_with=FRAMES,
    ),
    Attack(
        "forges a value of a million digits",
        """
        def main_solution(a):
            say(outcome='OK', output_json='9' * 10**6)
            os._exit(0)
        """,
        Outcome.OUTCOME_TOO_LARGE,
        begins_with=FRAMES,
        unlimited_sizes=False,
    ),
    Attack(
        "forges a message of twenty megabytes",
        """
        def main_solution(a):
            say(outcome='RAISED', error_type='E', error_message='x' * (20 << 20))
            os._exit(0)
        """,
        # No honest report is that large, and whoever passes it on has a limit of his own.
        Outcome.OUTCOME_OUTPUT_FLOOD,
        or_else=(Outcome.OUTCOME_CRASHED, Outcome.OUTCOME_TOO_LARGE),
        begins_with=FRAMES,
    ),
    *(
        Attack(
            f"forges {name}, in size what it may",
            f"""
            def main_solution(a):
                say(outcome='OK', output_json={expression})
                os._exit(0)
            """,
            # To read it may take the host a moment, but not more.
            Outcome.OUTCOME_OK,
            begins_with=FRAMES,
            seconds=12,
        )
        for name, expression in (
            ("an integer", "'9' * 10**6"),
            ("a fraction", "'0.' + '9' * 10**6"),
            ("a list", "'[' + '0,' * (10**6 // 2) + '0]'"),
        )
    ),
    *(
        Attack(
            f"forges {field} of twenty megabytes",
            f"""
            def main_solution(a):
                say(**{{**dict(outcome='RAISED'), {field!r}: {value}}})
                os._exit(0)
            """,
            Outcome.OUTCOME_CRASHED,
            # Whoever passes it on has a limit of his own.
            or_else=(Outcome.OUTCOME_OUTPUT_FLOOD,),
            begins_with=FRAMES,
        )
        for field, value in (
            *((name, "'x' * (20 << 20)") for name in ("error_type", "stdout", "output_json")),
            *((name, "'x' * (20 << 20)") for name in ("arguments_after_json", "trace_json")),
            ("effects", "['x' * 100] * 200_000"),
        )
    ),
    *(
        Attack(
            f"reports {what}",
            f"""
            def main_solution(a):
                send({payload!r})
                os._exit(0)
            """,
            Outcome.OUTCOME_CRASHED,
            begins_with=FRAMES,
        )
        for what, payload in {
            "nothing": b"",
            "no JSON": b"{",
            "bytes that are no text": b"\xff\xfe{}",
            "a list": b"[]",
            "a number": b"5",
            "an object without an outcome": b"{}",
            "an outcome that there is not": b'{"outcome": "WON"}',
            "an outcome that is a list": b'{"outcome": []}',
            "a field that there is not": b'{"outcome": "OK", "x": 1}',
            "a field of another type": b'{"outcome": "OK", "output_json": 5}',
            "a number too large for its field": b'{"outcome": "RAISED", "error_line": 1e99}',
            "a number too large for any field": b'{"outcome": "OK", "cpu_seconds": %s}'
            % (b"9" * 400),
            "half a surrogate pair": b'{"outcome": "RAISED", "error_message": "\\ud800"}',
            "nesting without end": b'{"outcome": ' + b"[" * 100_000,
            # What only the parent can know.
            "that it was never called": b'{"outcome": "UNSPECIFIED"}',
            "that its time is up": b'{"outcome": "CPU_TIMEOUT"}',
            "that it waited too long": b'{"outcome": "WALL_TIMEOUT"}',
        }.items()
    ),
    *(
        Attack(
            f"sends a frame of kind {kind}",
            f"""
            def main_solution(a):
                send(b'{{"status": 0, "killed": "", "max_rss_kib": 0}}', kind={kind})
                return a
            """,
            # As much as to flood the pipe: these are no reports.
            Outcome.OUTCOME_OUTPUT_FLOOD,
            begins_with=FRAMES,
        )
        for kind in (0, 1, 2, 4, 5, 6, 7, 8, 255)
    ),
    Attack(
        "announces four gigabytes",
        "def main_solution(a):\n    send(b'', length=2**32 - 1)\n    return a\n",
        Outcome.OUTCOME_OUTPUT_FLOOD,
        begins_with=FRAMES,
    ),
    Attack(
        "breaks off in the middle of a report",
        "def main_solution(a):\n    send(b'{', length=1000)\n    os._exit(0)\n",
        Outcome.OUTCOME_EXITED,
        begins_with=FRAMES,
    ),
    Attack(
        "closes the pipe for its reports",
        "import os\ndef main_solution(a):\n    os.close(3)\n    return a\n",
        Outcome.OUTCOME_EXITED,
    ),
    Attack(
        "closes all that it has",
        "import os\ndef main_solution(a):\n    os.closerange(0, 64)\n    return a\n",
        Outcome.OUTCOME_EXITED,
    ),
    *(
        Attack(
            f"reports, once loaded, {what}",
            f"send({payload!r})\ndef main_solution(a):\n    return a\n",
            outcome,
            begins_with=FRAMES,
        )
        for what, payload, outcome in (
            ("an object without an outcome", b"{}", Outcome.OUTCOME_CRASHED),
            # What follows is the guest's word that it was loaded, and no JSON value.
            (
                "effects that are null",
                b'{"outcome": "OK", "effects": null}',
                Outcome.OUTCOME_NOT_JSON,
            ),
            ("effects that are text", b'{"outcome": "OK", "effects": 7}', Outcome.OUTCOME_CRASHED),
            ("that it was never called", b'{"outcome": "UNSPECIFIED"}', Outcome.OUTCOME_CRASHED),
        )
    ),
)

PATCHED = (
    Attack(
        "makes json say what it likes",
        """
        import json
        def main_solution(a):
            json.dumps = lambda *_, **__: '{"outcome": "OK", "output_json": "7"}'
        """,
        Outcome.OUTCOME_OK,
        output="7",
    ),
    Attack(
        "makes json say nonsense",
        "import json\ndef main_solution(a):\n    json.dumps = lambda *_, **__: 'nonsense'\n",
        Outcome.OUTCOME_CRASHED,
    ),
    Attack(
        "removes the builtins",
        """
        import builtins
        def main_solution(a):
            builtins.__dict__.clear()
        """,
        # Its own exceptions are gone as well: it cannot even report.
        Outcome.OUTCOME_EXITED,
        or_else=(Outcome.OUTCOME_RAISED, Outcome.OUTCOME_CRASHED),
    ),
    Attack(
        "makes the builtins lie",
        """
        import builtins
        def main_solution(a):
            builtins.len = lambda _: 0
            builtins.isinstance = lambda *_: True
            builtins.type = lambda _: int
            return 'x' * 200
        """,
        Outcome.OUTCOME_TOO_LARGE,
        # Where the guest's own code stumbles over them, the child just ends.
        or_else=(Outcome.OUTCOME_EXITED,),
        unlimited_sizes=False,
    ),
    Attack(
        "stops the clock",
        """
        import time
        def main_solution(a):
            time.process_time = time.monotonic = time.time = lambda: 0.0
            while True:
                pass
        """,
        Outcome.OUTCOME_CPU_TIMEOUT,
    ),
    Attack(
        "removes what ends it",
        """
        import os, sys
        def main_solution(a):
            os._exit = os.write = sys.exit = lambda *_: None
            return 5
        """,
        Outcome.OUTCOME_OK,
        or_else=(Outcome.OUTCOME_EXITED, Outcome.OUTCOME_CPU_TIMEOUT),
    ),
    Attack(
        "reports by the guest's own functions",
        """
        import sys
        def main_solution(a):
            guest = sys.modules['child']
            guest.report({'outcome': 'OK', 'output_json': '8'})
            guest.report = guest.write_frame = lambda *_: None
            sys.modules['protocol'].write_frame = lambda *_: None
        """,
        Outcome.OUTCOME_OK,
        output="8",
    ),
    Attack(
        "climbs its frames to the guest's",
        """
        import sys
        def main_solution(a):
            frame = sys._getframe()
            while frame.f_back is not None:
                frame = frame.f_back
                for limits in [v for v in frame.f_locals.values() if type(v) is dict]:
                    if 'cpu_seconds' in limits:
                        limits.update(cpu_seconds=10**9, wall_factor=10**9, output_bytes=10**9)
            while True:
                pass
        """,
        Outcome.OUTCOME_CPU_TIMEOUT,
    ),
    Attack(
        "changes all dicts that the collector knows",
        """
        import gc
        def main_solution(a):
            for found in gc.get_objects():
                if type(found) is dict and 'output_bytes' in found:
                    found['output_bytes'] = 10**12
            while True:
                print('x' * 10**6)
        """,
        # Its own limit is gone, the parent's holds: memory, here.
        Outcome.OUTCOME_OUTPUT_FLOOD,
        or_else=(Outcome.OUTCOME_MEMORY,),
    ),
    Attack(
        "hides its effects",
        """
        import sys
        def main_solution(a):
            effects = sys.modules['effects']
            effects.note = lambda *_: None
            effects.taken = lambda: []
            open('x', 'w').close()
            return 1
        """,
        Outcome.OUTCOME_OK,
        output="1",
    ),
    Attack(
        "puts an encoder of its own in place",
        """
        import json
        def main_solution(a):
            json.encoder.c_make_encoder = None
            json.encoder.JSONEncoder.default = lambda self, value: 'forged'
            return {'a': {1, 2}}
        """,
        Outcome.OUTCOME_OK,
        or_else=(Outcome.OUTCOME_NOT_JSON,),
    ),
    Attack(
        "replaces standard output by what fails",
        """
        import sys
        class Broken:
            def __getattr__(self, name):
                raise RuntimeError(name)
        def main_solution(a):
            sys.stdout = sys.stderr = sys.stdin = Broken()
            return 1
        """,
        Outcome.OUTCOME_OK,
        output="1",
    ),
)

ATTACKS = (*FORGED, *PATCHED)
