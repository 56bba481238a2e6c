"""Reads a model and proves that it can be trained so: packed, and with the head taken apart."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from codeio.runtime.errors import first_line
from codeio.trainer.attention import NAME, Samples
from codeio.trainer.data import IGNORED, template_of
from codeio.trainer.data.masking import Renderer
from codeio.trainer.head import summed_loss
from codeio.training_run.hub import UNREACHED, reach_hub
from codeio.training_run.outcomes import Reason, RunError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor
    from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

    from codeio.trainer.data.chats import Chat
    from codeio.training_run.spec import Model

_PROBE = (5, 7)
"""Lengths of two samples that a model is tried on."""


class Learner(nn.Module):
    """A causal language model whose forward is its loss.

    All that has parameters runs inside this one forward, as the hooks of DDP and FSDP need.
    """

    def __init__(self, model: PreTrainedModel, *, dtype: torch.dtype) -> None:
        super().__init__()
        self.model = model
        self.dtype = dtype
        """What is computed in; weights keep theirs."""

    def forward(
        self, input_ids: Tensor, position_ids: Tensor, labels: Tensor, samples: Samples
    ) -> Tensor:
        """Return the cross-entropy in nats, summed over the labelled positions of a row.

        Args:
            input_ids: int64 of shape (tokens,).
            position_ids: the same shape; they begin at 0 with each sample.
            labels: the same shape, and shifted already; `IGNORED` where nothing counts.
            samples: where the samples begin.
        """
        hidden = self.hidden(input_ids, position_ids, samples)
        learnt = labels != IGNORED
        head: Any = self.model.get_output_embeddings()  # type: ignore[no-untyped-call]
        # Hidden states of no position leave a loss of 0 that depends on all parameters still.
        return summed_loss(hidden[learnt].to(self.dtype), head.weight, labels[learnt])

    def hidden(self, input_ids: Tensor, position_ids: Tensor, samples: Samples) -> Tensor:
        """Return the last hidden states, of shape (tokens, width)."""
        embed: Any = self.model.get_input_embeddings()
        # So the stream through the layers has the narrow type under autocast too, which would
        # leave it at that of the weights.
        embedded = embed(input_ids.unsqueeze(0)).to(self.dtype)
        read = self.model.base_model(
            inputs_embeds=embedded,
            position_ids=position_ids.unsqueeze(0),
            use_cache=False,
            **samples.for_model,
        )
        hidden: Tensor = read.last_hidden_state[0]
        return hidden

    @property
    def layers(self) -> list[nn.Module]:
        """The decoder's layers, as the model's class names what is not to be split."""
        names = set(self.model._no_split_modules or ())
        return [each for each in self.model.modules() if type(each).__name__ in names]


@dataclass(frozen=True)
class Origin:
    """What a trained model has from the one that it was made of, beside the weights."""

    tokenizer: PreTrainedTokenizerBase
    dtype: torch.dtype
    """That weights are stored in."""


def read_origin(model: Model, folder: Path | None) -> Origin:
    """Return it of a model in a folder, or at the hub if there is no folder.

    Raises:
        RunError: there is no tokenizer, or no configuration.
    """
    tokenizer = read_tokenizer(model, folder)
    try:
        config = AutoConfig.from_pretrained(
            _place(model, folder), revision=model.revision or "main"
        )
    except (OSError, ValueError, KeyError) as error:
        raise _not_found(model, folder, "model", error) from error
    stored = getattr(config, "dtype", None)
    return Origin(tokenizer, stored if isinstance(stored, torch.dtype) else torch.bfloat16)


def read_tokenizer(model: Model, folder: Path | None) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a model in a folder, or at the hub if there is no folder.

    Raises:
        RunError: there is none.
    """
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            _place(model, folder, "tokenizer"), revision=model.revision or "main"
        )
    except (OSError, ValueError, KeyError) as error:
        raise _not_found(model, folder, "tokenizer", error) from error
    return tokenizer


def read_model(model: Model, folder: Path | None) -> PreTrainedModel:
    """Return a model with weights in 32 bits, on the CPU, that was seen to compute what it should.

    Raises:
        RunError: there is none, or it cannot be trained on packed samples.
    """
    try:
        read: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            _place(model, folder, "weights"),
            revision=model.revision or "main",
            dtype=torch.float32,
            attn_implementation=NAME,
        )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise _not_found(model, folder, "model", error) from error
    _prove(read)
    return read


def check_positions(model: PreTrainedModel, *, longest: int) -> None:
    """Find out whether a sample of `longest` tokens would change the angles of those beside it.

    Raises:
        RunError: it would: the model reckons them by the longest sample in a row.
    """
    config = model.config.get_text_config()
    parameters = getattr(config, "rope_parameters", None) or {}
    # Of all layers, or by their kinds.
    for each in [parameters, *parameters.values()]:
        kind = each.get("rope_type") if isinstance(each, dict) else None
        if kind not in {"dynamic", "longrope"}:
            continue
        bound = config.max_position_embeddings
        if kind == "longrope":  # the other kind does not read it
            bound = each.get("original_max_position_embeddings") or bound
        if longest > bound:
            raise RunError(
                Reason.INVALID_SPEC,
                f"maxLength may be at most {bound} with this model, whose {kind} RoPE"
                " reckons positions by the longest sample that is packed into a row",
            )


def empty_model(model: Model, folder: Path | None) -> PreTrainedModel:
    """Return the same model with weights that are yet to come from another process."""
    config = AutoConfig.from_pretrained(_place(model, folder), revision=model.revision or "main")
    with torch.device("meta"):
        made: PreTrainedModel = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
            config, dtype=torch.float32, attn_implementation=NAME
        )
    # Memory that nobody has written to takes none.
    made.to_empty(device="cpu")
    made.tie_weights()
    return made


def write_model(
    model: PreTrainedModel,
    weights: dict[str, Tensor],
    origin: Origin,
    folder: Path,
) -> None:
    """Write weights as `save_pretrained` does, with tokenizer and settings of generation.

    A new model of the same kind is filled with them: the one that was trained is in shards.
    """
    dtype, tokenizer = origin.dtype, deepcopy(origin.tokenizer)
    config = type(model.config).from_dict(model.config.to_dict())
    with torch.device("meta"):
        plain: PreTrainedModel = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
            config, dtype=dtype
        )
    plain.load_state_dict({name: each.to(dtype) for name, each in weights.items()}, assign=True)
    plain.tie_weights()
    plain.generation_config = deepcopy(model.generation_config)
    _prompt_as_trained(tokenizer, plain.generation_config)
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _prompt_as_trained(tokenizer: PreTrainedTokenizerBase, generation: GenerationConfig) -> None:
    """Have whoever asks the model prompt it as it was trained, and stop where its answer ends.

    Base models bring no template, or one that ends answers otherwise than they end texts.
    """
    tokenizer.chat_template = template_of(tokenizer)
    ending = _ending(tokenizer)
    if ending is None:
        return
    stops = generation.eos_token_id
    known = [] if stops is None else [stops] if isinstance(stops, int) else list(stops)
    if ending not in known:
        generation.eos_token_id = [*known, ending] if known else ending
    # One that the template itself writes must stay what it was trained with.
    if "eos_token" not in tokenizer.chat_template:
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(ending)


def _ending(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """Return the token that ends an answer as it was trained, if one does."""
    chat: Chat = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]
    try:
        rendered = Renderer(tokenizer, loss="LastAnswer").render(chat)
    except ValueError:  # a template that takes no chat as short
        return None
    _, end = rendered.learnt[-1]
    ids = tokenizer.encode(rendered.text[:end], add_special_tokens=False)
    added = tokenizer.added_tokens_decoder.get(ids[-1])
    return ids[-1] if added and added.special else None


_FILES = {
    "weights": ("*.safetensors", "*.bin"),
    "tokenizer": ("tokenizer.*", "vocab.*", "*.model", "*.tiktoken"),
}


def _place(model: Model, folder: Path | None, *parts: Literal["weights", "tokenizer"]) -> str:
    """Return what a library finds the model by; in a folder such parts of it must be there."""
    if folder is None:
        reach_hub()
        return str(model.name)
    lacking = None if (folder / "config.json").is_file() else f"there is no model in {folder}"
    for part in parts:
        if not any(found for pattern in _FILES[part] for found in folder.glob(pattern)):
            lacking = lacking or f"the model in {folder} has no {part}"
    if lacking:
        raise RunError(
            Reason.MODEL_NOT_FOUND,
            f"{lacking}: it must be a folder with config.json, weights and a tokenizer, as"
            " `save_pretrained` writes it",
        )
    return str(folder)


def _not_found(model: Model, folder: Path | None, what: str, error: Exception) -> RunError:
    detail = first_line(error)
    if folder is None and not reach_hub():
        said = (
            f"{UNREACHED}, and its cache here has no {what} named {model.name}: let pods reach it,"
            " or download the model and name its path"
        )
    elif folder is None:
        said = f"there is no {what} named {model.name} at the hub that can be read: {detail}"
    else:
        said = f"the {what} in {folder} cannot be read ({detail}): write it anew, or name another"
    return RunError(Reason.MODEL_NOT_FOUND, said)


@torch.no_grad()
def _prove(model: PreTrainedModel) -> None:
    """Compare the logits of two packed samples with those that the model itself has for each.

    Raises:
        RunError: they differ: the model heeds no boundaries, or its head does more than multiply.
    """
    kind = type(model).__name__
    head: Any = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    if head is None or getattr(head, "bias", None) is not None:
        raise _unsuited(kind, "its head is no plain matrix")
    count = sum(_PROBE)
    ids = torch.arange(count) * 7919 % model.config.get_text_config().vocab_size
    places = torch.cat([torch.arange(each) for each in _PROBE])
    boundaries = torch.tensor([0, _PROBE[0], count], dtype=torch.int32)
    model.train(False)
    hidden = Learner(model, dtype=torch.float32).hidden(ids, places, Samples(boundaries, _PROBE))
    packed = hidden @ head.weight.T
    model.set_attn_implementation("sdpa")
    alone = torch.cat([model(part.unsqueeze(0)).logits[0] for part in ids.split(_PROBE)])
    model.set_attn_implementation(NAME)
    model.train()
    if not torch.allclose(packed, alone, rtol=1e-3, atol=1e-3 * float(alone.abs().max())):
        raise _unsuited(kind, "it does not keep packed samples apart, or its head does more")


def _unsuited(kind: str, why: str) -> RunError:
    return RunError(
        Reason.INVALID_SPEC, f"models of the kind {kind} cannot be trained: {why}; choose another"
    )
