"""Generated inputs, whatever the shapes: valid, repeatable, within the limits of the paper."""

from __future__ import annotations

import ast
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeio.normalizer import shapes
from codeio.normalizer.codecs import Codecs
from codeio.normalizer.generators import generator_source
from codeio.runtime import values

if TYPE_CHECKING:
    from codeio.normalizer.shapes import Shape

scalars = st.one_of(
    st.builds(shapes.Int, st.integers(-50, 0), st.integers(1, 50)),
    st.builds(shapes.Float, st.floats(-5, 0), st.floats(1, 9)),
    st.just(shapes.Bool()),
    st.builds(shapes.Text, st.sampled_from(["ab", "xyz01", "()"]), st.just(1), st.integers(1, 9)),
    st.just(shapes.Text(low=1, high=4, words=True)),
    st.just(shapes.Choice(("left", "right"))),
)
containers = st.one_of(
    st.builds(
        shapes.ListOf,
        scalars,
        st.integers(0, 2),
        st.integers(2, 9),
        st.sampled_from(["", "sorted", "indices"]),
    ),
    st.builds(shapes.Grid, scalars, st.booleans()),
    st.builds(shapes.Graph, st.sampled_from(["list", "mapping", "pairs"]), st.booleans()),
    st.builds(shapes.Linked, scalars),
    st.builds(shapes.Tree, st.just(shapes.Int(0, 9)), st.booleans()),
    st.builds(shapes.DictOf, st.just(shapes.Int(0, 9)), scalars),
    st.builds(shapes.Lines, st.integers(1, 4)),
)
every_shape = st.one_of(scalars, containers)


def draw(shapes_by_name: dict[str, Shape], seed: int) -> dict[str, Any]:
    # The source is made of our own templates alone, so it may run here.
    namespace: dict[str, Any] = {}
    exec(generator_source(shapes_by_name), namespace)
    made: dict[str, Any] = namespace["generate_inputs"](random.Random(seed))
    return made


def is_small(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) < 100
    if isinstance(value, list | dict):
        items = value.values() if isinstance(value, dict) else value
        return len(value) < 20 and all(map(is_small, items))
    return True


@given(
    st.dictionaries(
        st.sampled_from(["n", "size", "rows", "rng", "width"]), every_shape, min_size=1
    ),
    st.integers(0, 10**6),
)
def test_inputs_are_small_json_and_repeat(by_name: dict[str, Shape], seed: int) -> None:
    made = draw(by_name, seed)
    assert made.keys() == by_name.keys()
    assert values.equal(values.loads(values.dumps(made)), made)
    assert is_small(made)
    assert values.dumps(draw(by_name, seed)) == values.dumps(made)


@given(st.integers(0, 10**6))
def test_related_parameters_agree(seed: int) -> None:
    made = draw(
        {
            "n": shapes.LengthOf("items"),
            "last": shapes.IndexOf("items", last=True),
            "weights": shapes.AlongWith("items", shapes.Int(1, 9)),
            "items": shapes.ListOf(shapes.Int(0, 9), 1, 8),
        },
        seed,
    )
    assert made["n"] == len(made["items"]) == len(made["weights"]) == made["last"] + 1


@given(st.lists(st.integers(-9, 9), max_size=12))
def test_a_linked_list_survives_decoding_and_encoding(items: list[int]) -> None:
    assert round_trip(shapes.Linked(shapes.Int()), "top:linked", items) == items


@given(st.lists(st.one_of(st.none(), st.integers(-9, 9)), max_size=12), st.integers(0, 9))
def test_a_tree_read_once_survives_from_then_on(items: list[int | None], root: int) -> None:
    once = round_trip(shapes.Tree(shapes.Int()), "top:tree", [root, *items])
    assert round_trip(shapes.Tree(shapes.Int()), "top:tree", once) == once


def round_trip(shape: Shape, kind: str, value: Any) -> Any:
    codecs = Codecs(())
    decode = codecs.decode(shape, "given")
    encode = codecs.encode(decode, [kind])
    namespace: dict[str, Any] = {"given": value}

    sources = [*map(ast.unparse, codecs.classes), *codecs.functions.values()]
    exec("\n".join(sources), namespace)
    return eval(encode, namespace)


@pytest.mark.parametrize("shape", [shapes.Int(0, 5), shapes.ListOf(shapes.Text()), shapes.Bool()])
def test_shapes_are_told_in_words(shape: Shape) -> None:
    assert shapes.words(shape)
    assert shapes.annotation(shape)
