"""The table of ratios, and its sentence on what a compressed file saves."""

import math
from collections.abc import Callable

import pandas as pd
import pytest

from baler_energy.figures.tables.ratios import TABLE, TRAINING, ratios, saving, trained_as

Build = Callable[..., dict[str, pd.DataFrame]]

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


def test_a_packing_whose_size_depends_on_the_training_has_a_row_for_each(build: Build) -> None:
    tables, packing = build(), "quantise-0.01+pcodec"
    runs = tables["runs"]
    here = runs[runs["at_reference"]]
    random = here.assign(packing=packing, run_id="random/" + here["run_id"])
    pca = random.assign(start="pca", run_id="pca/" + here["run_id"], compressed_bytes=random["compressed_bytes"] / 2)
    found = ratios({**tables, "runs": pd.concat([runs, random, pca], ignore_index=True)})
    packed = found[found["packing"] == packing].set_index("start")
    assert packed["n"].to_dict() == {"pca": 3, "random": 3}
    assert packed.loc["random", "compressed_bytes"] == 2 * packed.loc["pca", "compressed_bytes"]
    assert found.loc[found["packing"] == "none", list(TRAINING)].isna().all(axis=None)
    assert {row["other settings"] for row in TABLE.rows(found, len(found))} == {"-", "start pca"}
    of_centre = trained_as(found, here.iloc[0].to_dict())
    assert len(of_centre) == len(found) - 1 and "pca" not in set(of_centre["start"])
    assert "5 epochs, start pca: 12 latent columns take" in saving(packed.reset_index().iloc[0].to_dict())
