"""Loads a model for the harness."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from codeio.evaluation.harness import quiet
from codeio.training_run.outcomes import ExitCode, Reason, RunError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lm_eval.api.model import LM


def load_model(
    model: str | Path,
    *,
    revision: str | None = None,
    batch_size: int,
    precision: Literal["BFloat16", "Float32"] = "BFloat16",
) -> LM:
    """Return a model, on a GPU if there is one, that generates in batches.

    `model` is a folder as `save_pretrained` writes it, or a name at the hub.

    Raises:
        RunError: there is no such model, or it does not fit.
    """
    if isinstance(model, Path) and not (model / "config.json").is_file():
        raise RunError(
            Reason.MODEL_NOT_FOUND,
            f"there is no model in {model}: it must be a folder with config.json, weights and a"
            " tokenizer, as save_pretrained writes it",
        )
    with quiet(), out_of_memory("the model does not fit into memory; evaluate on a larger device"):
        import torch  # noqa: PLC0415  (slow)
        from lm_eval.models.huggingface import HFLM  # noqa: PLC0415
        from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415

        dtype = torch.bfloat16 if precision == "BFloat16" else torch.float32
        try:
            tokenizer = AutoTokenizer.from_pretrained(str(model), revision=revision or "main")
            weights = AutoModelForCausalLM.from_pretrained(
                str(model), revision=revision or "main", dtype=dtype
            )
        except (OSError, ValueError) as error:
            said = str(error).strip().partition("\n")[0]
            raise RunError(
                Reason.MODEL_NOT_FOUND, f"the model {model} cannot be loaded: {said}"
            ) from error
        weights.to(torch.device("cuda" if torch.cuda.is_available() else "cpu")).eval()  # type: ignore[arg-type]
        return HFLM(pretrained=weights, tokenizer=tokenizer, batch_size=batch_size)


@contextmanager
def out_of_memory(message: str) -> Iterator[None]:
    """Say so where a device's memory is full.

    Raises:
        RunError: it was.
    """
    import torch  # noqa: PLC0415

    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise RunError(Reason.OUT_OF_MEMORY, message, exit_code=ExitCode.OUT_OF_MEMORY) from error
