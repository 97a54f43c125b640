"""How latents are stored, as a word of the axis."""

import pytest

from baler_energy.codecs.baler.packing import Packing
from baler_energy.errors import InputError


@pytest.mark.parametrize(
    ("text", "packing"),
    [
        ("none", Packing()),
        ("float16", Packing(number_format="float16")),
        ("float32-12+zstd", Packing(number_format="float32", mantissa_bits=12, zstd_level=3)),
        ("zstd-19+bound-0.01", Packing(zstd_level=19, error_bound=0.01)),
        ("bound-1e-3", Packing(error_bound=1e-3)),
    ],
)
def test_words_are_read(text, packing):
    assert Packing.parse(text) == packing


@pytest.mark.parametrize(
    "text",
    [
        "",
        "None",
        "zip",
        "float32-0",
        "float32-23",
        "float64-12",
        "zstd-0",
        "zstd-23",
        "bound-0",
        "bound--1",
        "bound-inf",
        "zstd+",
        "none+zstd",
        "zstd+zstd-3",
        "float16+float32",
    ],
)
def test_other_words_are_refused(text):
    with pytest.raises(InputError, match=r"packing .*: give none, or|packing .*; give none, or"):
        Packing.parse(text)
