"""Finds and loads a model for the harness."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from codeio.evaluation.harness import quiet
from codeio.runtime.errors import first_line
from codeio.training_run.hub import reach_hub
from codeio.training_run.outcomes import ExitCode, Reason, RunError
from codeio.training_run.precision import is_slow_in_bfloat16

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lm_eval.api.model import LM

Precision: TypeAlias = Literal["BFloat16", "Float32"]

_WEIGHTS = {".safetensors", ".bin"}
_SMALL = {".json", ".jinja", ".model", ".txt"}
_ROOM = 0.8
"""Share of a GPU's memory that weights may fill; the rest is for what generating needs."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model that is measured."""

    name: str
    """Its folder, or its name at the hub."""
    fingerprint: str
    """Another one if its files are others."""
    batch_size: int
    load: Callable[[], LM]

    @property
    def header(self) -> dict[str, str]:
        """What files of its answers say of it."""
        return {"model": self.name, "fingerprint": self.fingerprint}


def find_model(
    model: str | Path, *, revision: str | None = None, batch_size: int, precision: Precision
) -> Model:
    """Return a model that is loaded later: that of now, also where the hub gets another one.

    Raises:
        RunError: the hub has no such model, or cannot be reached.
    """
    options: dict[str, Any] = {"batch_size": batch_size, "precision": precision}
    if isinstance(model, Path):
        found = fingerprint(model)
        load = partial(load_model, model, **options)
    else:
        found = _commit(model, revision)
        load = partial(load_model, model, revision=found, **options)
    return Model(name=name_of(model, revision), fingerprint=found, batch_size=batch_size, load=load)


def fastest_precision() -> Precision:
    """Return what models are computed in here unless it is asked for: see `is_slow_in_bfloat16`."""
    import torch  # noqa: PLC0415  (slow)

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return "Float32" if is_slow_in_bfloat16(device) else "BFloat16"


def name_of(model: str | Path, revision: str | None = None) -> str:
    """Return what a folder, or a model at the hub, is called wherever one calls from."""
    if isinstance(model, Path):
        return str(model.resolve())
    return f"{model}@{revision}" if revision else model


def fingerprint(folder: Path) -> str:
    """Return a digest of a model's files: of small ones the content, as of `training.json`.

    Of weights, too large to be read each time, it is name, size and time of change.

    Raises:
        RunError: they cannot be read.
    """
    digest = hashlib.sha256()
    try:
        for file in sorted(folder.iterdir()) if folder.is_dir() else ():
            if file.suffix in _WEIGHTS:
                stat = file.stat()
                told: list[Any] = [file.name, stat.st_size, stat.st_mtime_ns]
            elif file.suffix in _SMALL:
                told = [file.name, hashlib.sha256(file.read_bytes()).hexdigest()]
            else:
                continue
            digest.update(json.dumps(told).encode())
    except OSError as error:
        raise _cannot_load(folder, error) from error
    return digest.hexdigest()


def check_folder(folder: Path) -> None:
    """See that a folder looks like a model.

    Raises:
        RunError: it does not.
    """
    if not (folder / "config.json").is_file():
        raise RunError(
            Reason.MODEL_NOT_FOUND,
            f"there is no model in {folder}: it must be a folder with config.json, weights and a"
            " tokenizer, as save_pretrained writes it",
        )


def load_model(
    model: str | Path,
    *,
    revision: str | None = None,
    batch_size: int,
    precision: Precision = "BFloat16",
) -> LM:
    """Return a model, on GPUs if there are any, that generates in batches.

    `model` is a folder as `save_pretrained` writes it, or a name at the hub.

    Raises:
        RunError: there is no such model, or it does not fit.
    """
    if isinstance(model, Path):
        check_folder(model)
    with quiet(), out_of_memory("the model does not fit into memory; evaluate on a larger device"):
        import torch  # noqa: PLC0415  (slow)
        from lm_eval.models.huggingface import HFLM  # noqa: PLC0415
        from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415

        dtype = torch.bfloat16 if precision == "BFloat16" else torch.float32
        where = {"pretrained_model_name_or_path": str(model), "revision": revision or "main"}
        gpus = _gpus()
        try:
            tokenizer = AutoTokenizer.from_pretrained(**where)
            several = len(gpus) > 1 and needs_several(_size(where, dtype), gpus)
            weights: Any = AutoModelForCausalLM.from_pretrained(
                **where, dtype=dtype, device_map="auto" if several else None
            )
        except (OSError, ValueError) as error:
            raise _cannot_load(model, error) from error
        if not several:
            weights.to(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
        elif any(each.device.type != "cuda" for each in weights.parameters()):
            raise RunError(
                Reason.OUT_OF_MEMORY,
                f"the model does not fit into the memory of {len(gpus)} GPUs; evaluate on more or"
                " on larger ones",
                exit_code=ExitCode.OUT_OF_MEMORY,
            )
        return HFLM(pretrained=weights.eval(), tokenizer=tokenizer, batch_size=batch_size)


def needs_several(weights: int, gpus: Sequence[int]) -> bool:
    """Tell whether weights of so many bytes are to be spread over GPUs, by the memory of each.

    One GPU is faster than several that wait for each other.
    """
    return len(gpus) > 1 and weights > _ROOM * gpus[0]


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


def _commit(name: str, revision: str | None) -> str:
    """Return the commit that a hub's revision is now, by the cache where it cannot be reached."""
    reach_hub()
    with quiet():
        from transformers.utils.hub import cached_file, extract_commit_hash  # noqa: PLC0415

        try:
            file = cached_file(name, "config.json", revision=revision or "main")
        except (OSError, ValueError) as error:
            raise _cannot_load(name, error) from error
    return extract_commit_hash(file, None) or revision or "main"


def _gpus() -> list[int]:
    """Return the bytes of each GPU that can be seen."""
    import torch  # noqa: PLC0415

    numbers = range(torch.cuda.device_count())
    return [torch.cuda.get_device_properties(number).total_memory for number in numbers]


def _size(where: dict[str, str], dtype: Any) -> int:
    """Return the bytes of a model's weights, of which none is read."""
    import torch  # noqa: PLC0415
    from transformers import AutoConfig, AutoModelForCausalLM  # noqa: PLC0415

    with torch.device("meta"):
        config = AutoConfig.from_pretrained(**where)
        empty = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    return int(dtype.itemsize * sum(each.numel() for each in empty.parameters()))


def _cannot_load(model: str | Path, error: Exception) -> RunError:
    return RunError(
        Reason.MODEL_NOT_FOUND, f"the model {model} cannot be loaded: {first_line(error)}"
    )
