"""What `helm test` does: a file becomes a program, is executed, explained and judged.

test_records.py TARGET_WITH_%s SERVICE...      by those of the services that are installed
"""

import sys
from pathlib import Path

from codeio.client import (
    Answer,
    CotGeneratorClient,
    ExecutorClient,
    NormalizerClient,
    Tls,
    VerifierClient,
)
from codeio.v1.records_pb2 import Direction, IoPair, PredictionTask, Program

FILE = '''
def digit_sum(n):
    """Return the sum of the decimal digits of a number.

    >>> digit_sum(12345)
    15
    """
    total = 0
    while n > 0:
        total += n % 10
        n //= 10
    return total
'''
INPUTS = [{"n": n} for n in (0, 7, 12345, 999)]
RIGHT, WRONG = '{"output": 15}', '{"output": 16}'
SECRETS = Path("/etc/codeio")


def options() -> dict[str, object]:
    """Return who we are and whom we trust, as far as that is mounted."""
    given: dict[str, object] = {}
    if (ca := SECRETS / "tls" / "ca.crt").exists():
        given["tls"] = Tls(
            ca=ca, certificate=SECRETS / "tls" / "tls.crt", key=SECRETS / "tls" / "tls.key"
        )
    if (token := SECRETS / "token" / "token").exists():
        given["token_file"] = token
    return given


def main(targets: str, *services: str) -> None:
    given = options()
    program, response = Program(code=FILE, entry_point="digit_sum"), RIGHT

    if "normalizer" in services:
        with NormalizerClient(targets % "normalizer", **given) as normalizer:
            programs = list(normalizer.normalize(FILE).programs)
        assert programs, "the normalizer made no program of a function that has a doctest"
        program = programs[0]
        print(f"normalizer: {program.entry_point}")

    if "executor" in services:
        with ExecutorClient(targets % "executor", **given) as executor:
            results = executor.execute(program.code, INPUTS, program.entry_point)
        outputs = [result.output_json for result in results]
        assert outputs == ["0", "7", "15", "27"], f"the executor gave {outputs}"
        print(f"executor: {', '.join(outputs)}")

    if "cot-generator" in services:
        task = PredictionTask(
            task_id="test",
            program=program,
            pair=IoPair(input_json='{"n": 12345}', output_json="15"),
            direction=Direction.DIRECTION_OUTPUT_PREDICTION,
        )
        with CotGeneratorClient(targets % "cot-generator", **given) as generator:
            [attempt] = generator.generate(task, samples=1)
        response = attempt.turns[-1].response
        print(f"cot-generator: {len(response)} characters")

    if "verifier" in services:
        with VerifierClient(targets % "verifier", **given) as verifier:
            judged = [
                verifier.verify(Answer(text, output_json="15")).reward
                for text in (RIGHT, WRONG, response)
            ]
        assert judged[:2] == [1.0, 0.0], f"the verifier gave a right and a wrong answer {judged}"
        print(
            f"verifier: 1.0 for a right answer, 0.0 for a wrong one, {judged[2]} for the teacher's"
        )


main(*sys.argv[1:])
