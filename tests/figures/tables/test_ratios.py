"""The sentence on what a compressed file saves."""

import math

import pytest

from baler_energy.figures.tables.ratios import saving

#: A row of the table of ratios, without the ratio.
SAVING = {
    "dataset": "d",
    "rows": 10,
    "columns": 4,
    "latent_columns": 2,
    "packing": "none",
    "compressed_bytes_per_row": 16.0,
    "native_bytes_per_row": 32.0,
    "float64_bytes_per_row": 32.0,
    "ratio_float64_bytes": 2.0,
    "ratio_native_bytes_with_model": 0.5,
}


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (0.8, "the file is 25.0 % larger"),
        (1.01, "next to nothing is saved: 1.0 %"),
        (2.0, "the file is smaller: 50.0 %"),
    ],
)
def test_saving_in_numbers(ratio: float, words: str) -> None:
    row = SAVING | {"ratio_native_bytes": ratio, "native_bytes_per_row": 16 * ratio}
    assert saving(row).endswith(f"{words}.")


@pytest.mark.parametrize(("latent", "words"), [(math.nan, "the table takes"), (2.0, "2 latent columns take")])
def test_saving_names_what_is_stored(latent: float, words: str) -> None:
    row = SAVING | {"latent_columns": latent, "ratio_native_bytes": 2.0}
    assert f"d, 10 rows: {words} 16.0 B per row" in saving(row)
