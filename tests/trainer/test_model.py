"""A packed row must teach exactly what its samples teach one by one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from transformers import AutoModelForCausalLM, GraniteConfig, GraniteForCausalLM

from codeio.trainer import head
from codeio.trainer.attention import Samples, packed_attention
from codeio.trainer.head import summed_loss
from codeio.trainer.model import (
    Learner,
    check_positions,
    empty_model,
    read_model,
    read_origin,
    read_tokenizer,
)
from codeio.trainer.parallel import row_of
from codeio.training_run.outcomes import Reason, RunError
from codeio.training_run.spec import Model
from tests.trainer.work import packed, samples_of

if TYPE_CHECKING:
    from pathlib import Path

CPU = torch.device("cpu")


def test_a_packed_row_has_the_losses_and_gradients_of_its_samples(tiny_model: Path) -> None:
    rows = samples_of(0, count=5)
    learner = Learner(read_model(Model(path=str(tiny_model)), tiny_model), dtype=torch.float32)
    loss = learner(*row_of(packed(rows), CPU))
    loss.backward()
    ours = {name: each.grad.clone() for name, each in learner.model.named_parameters()}

    plain = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    total = torch.zeros(())
    for row in rows:
        logits = plain(torch.from_numpy(row.input_ids)[None]).logits[0]
        total = total + functional.cross_entropy(
            logits, torch.from_numpy(row.labels), ignore_index=-100, reduction="sum"
        )
    total.backward()

    assert float(loss.detach()) == pytest.approx(float(total.detach()), rel=1e-5)
    for name, each in plain.named_parameters():
        torch.testing.assert_close(ours[name], each.grad, rtol=1e-3, atol=1e-4)


def test_a_token_does_not_see_the_sample_before(tiny_model: Path) -> None:
    rows = samples_of(1, count=2)
    model = read_model(Model(path=str(tiny_model)), tiny_model).eval()
    learner = Learner(model, dtype=torch.float32)
    first = len(rows[0].input_ids)
    before = learner.hidden(*row_of(packed(rows), CPU)[:2], row_of(packed(rows), CPU)[3])
    rows[0].input_ids[:] = 7
    after = learner.hidden(*row_of(packed(rows), CPU)[:2], row_of(packed(rows), CPU)[3])
    assert torch.equal(before[first:], after[first:])
    assert not torch.equal(before[:first], after[:first])


@pytest.mark.parametrize("window", [1, 3, 100])
def test_a_window_bounds_how_far_back_a_token_reads(window: int) -> None:
    torch.manual_seed(0)
    query, key, value = (torch.randn(1, heads, 9, 8) for heads in (4, 2, 2))
    samples = Samples(torch.tensor([0, 4, 9], dtype=torch.int32), (4, 5))
    read, _ = packed_attention(
        torch.nn.Identity(), query, key, value, None, sliding_window=window, **samples.for_model
    )
    place = torch.arange(9)
    sample = (place >= 4).long()
    back = place[:, None] - place[None, :]
    seen = (back >= 0) & (back < window) & (sample[:, None] == sample[None, :])
    wide = (each.repeat_interleave(2, dim=1) for each in (key, value))
    expected = functional.scaled_dot_product_attention(query, *wide, attn_mask=seen)
    torch.testing.assert_close(read, expected.transpose(1, 2))


def test_what_attention_cannot_do_is_refused() -> None:
    samples = Samples(torch.tensor([0, 2], dtype=torch.int32), (2,))
    parts = [torch.zeros(1, 1, 2, 8)] * 3
    with pytest.raises(RunError, match="Identity needs softcap"):
        packed_attention(torch.nn.Identity(), *parts, None, softcap=30.0, **samples.for_model)


@settings(max_examples=20)
@given(positions=st.integers(0, 9), chunk=st.integers(1, 10), seed=st.integers(0, 99))
def test_the_loss_in_chunks_is_cross_entropy(positions: int, chunk: int, seed: int) -> None:
    torch.manual_seed(seed)
    hidden = torch.randn(positions, 6, dtype=torch.float32, requires_grad=True)
    weight = torch.randn(11, 6, dtype=torch.float32, requires_grad=True)
    labels = torch.randint(11, (positions,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(head, "_POSITIONS", chunk)
        (summed_loss(hidden, weight, labels) * 3).backward()
    ours = hidden.grad, weight.grad
    hidden.grad = weight.grad = None
    expected = functional.cross_entropy(hidden @ weight.T, labels, reduction="sum") * 3
    expected.backward()
    for one, other in zip(ours, (hidden.grad, weight.grad), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_loss_in_16_bits_is_scaled_in_32() -> None:
    torch.manual_seed(0)
    labels = torch.randint(11, (64,))
    scale = 0.3345  # bfloat16 has 0.3340, and then 0.3359

    def gradients(scale: float) -> list[torch.Tensor]:
        torch.manual_seed(1)
        parts = [
            torch.randn(rows, 32, dtype=torch.bfloat16, requires_grad=True) for rows in (64, 11)
        ]
        (summed_loss(*parts, labels) * scale).backward()
        return [each.grad.double().abs().sum() for each in parts if each.grad is not None]

    # Rounding of each element is to either side.
    for scaled, plain in zip(gradients(scale), gradients(1.0), strict=True):
        assert float(scaled / plain) == pytest.approx(scale, rel=5e-4)


def test_a_row_where_nothing_is_learnt_still_reaches_all_parameters(tiny_model: Path) -> None:
    row = samples_of(0, count=1)[0]
    row.labels[:] = -100
    learner = Learner(read_model(Model(path=str(tiny_model)), tiny_model), dtype=torch.float32)
    loss = learner(*row_of(row, CPU))
    loss.backward()
    assert float(loss.detach()) == 0.0
    grads = [each.grad for each in learner.parameters()]
    assert all(each is not None and not each.any() for each in grads)


def test_a_model_that_scales_its_logits_is_refused(tmp_path: Path) -> None:
    config = GraniteConfig(
        vocab_size=64,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        logits_scaling=4.0,
    )
    GraniteForCausalLM(config).save_pretrained(tmp_path)
    with pytest.raises(RunError, match="GraniteForCausalLM cannot be trained") as caught:
        read_model(Model(path=str(tmp_path)), tmp_path)
    assert caught.value.reason is Reason.INVALID_SPEC


def test_a_model_that_is_not_there_is_named(tiny_model: Path, tmp_path: Path) -> None:
    def message(folder: Path) -> str:
        with pytest.raises(RunError) as caught:
            read_model(Model(path=str(folder)), folder)
        assert caught.value.reason is Reason.MODEL_NOT_FOUND
        return str(caught.value)

    must = "it must be a folder with config.json, weights and a tokenizer, as `save_pretrained`"
    assert f"there is no model in {tmp_path / 'none'}: {must}" in message(tmp_path / "none")
    assert f"there is no model in {tmp_path}: {must}" in message(tmp_path)  # an empty folder
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(tiny_model / "config.json", bare)
    assert f"the model in {bare} has no weights: {must}" in message(bare)
    with pytest.raises(RunError, match=f"the model in {bare} has no tokenizer: {must}"):
        read_origin(Model(path=str(bare)), bare)
    damaged = shutil.copytree(tiny_model, tmp_path / "damaged")
    (damaged / "model.safetensors").write_bytes(b"nothing")
    assert f"the model in {damaged} cannot be read (" in message(damaged)
    with pytest.raises(RunError, match=r"^the hub cannot be reached, .* has no tokenizer named"):
        read_tokenizer(Model(name="no/such"), None)


@pytest.mark.parametrize(
    ("kind", "more", "bound"),
    [
        ("dynamic", {}, 0),
        ("dynamic", {"original_max_position_embeddings": 64}, 0),
        ("longrope", {}, 0),
        ("longrope", {"original_max_position_embeddings": 64}, 64),
    ],
)
def test_samples_that_would_turn_the_positions_of_those_beside_them_are_refused(
    kind: str, more: dict[str, Any], bound: int, tiny_model: Path
) -> None:
    model = read_model(Model(path=str(tiny_model)), tiny_model)
    check_positions(model, longest=1 << 20)  # the same angles at any length
    model.config.rope_parameters |= {"rope_type": kind, "factor": 2.0, **more}
    bound = bound or model.config.max_position_embeddings
    check_positions(model, longest=bound)
    with pytest.raises(RunError, match=f"maxLength may be at most {bound} with .* {kind} RoPE"):
        check_positions(model, longest=bound + 1)


def test_an_empty_model_has_the_shape_of_the_real_one(tiny_model: Path) -> None:
    model = Model(path=str(tiny_model))
    empty, real = empty_model(model, tiny_model), read_model(model, tiny_model)
    assert {n: p.shape for n, p in empty.named_parameters()} == {
        n: p.shape for n, p in real.named_parameters()
    }
    assert empty.lm_head.weight is empty.model.embed_tokens.weight
    assert bool(real.lm_head.weight.isfinite().all())
