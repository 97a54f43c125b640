"""Codecs that are not trained in epochs, next to those that are, of a synthetic study."""

import math
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import pytest

from baler_energy.config.parameters import AXES, applies
from baler_energy.variants import NO_TRANSFORM

Tables = dict[str, pd.DataFrame]
#: Error and ratio of codecs without training, by packing.
CLASSICAL = {"quantise-0.03+pcodec": (0.005, 16.0), "quantise-0.1+pcodec": (0.02, 32.0), "pcodec": (0.0, 3.0)}


@pytest.fixture(scope="session")
def with_codecs() -> Callable[..., Tables]:
    """Return a function that adds codecs to the runs, given their error and ratio by packing.

    They are not trained, or trained in closed form. They cost as much as the trained codecs at the study's centre, and
    have the same error on held-out rows, if they are trained. Trainings with other batch sizes, which are codecs of
    their own, are left out.
    """

    def extended(
        tables: Tables,
        codecs: Mapping[str, tuple[float, float]],
        transform: str = NO_TRANSFORM,
        model_bytes: float = 0.0,
    ) -> Tables:
        runs = tables["runs"][tables["runs"]["batch_size"].isna() | (tables["runs"]["batch_size"] == 512)]
        trained = transform != NO_TRANSFORM
        one = runs[runs["at_reference"] & (trained | (runs["operation"] != "train"))]
        native = one["ratio_native_bytes"] * one["compressed_bytes"]
        others = [name for name in runs if name.startswith("held_out")]
        added = [
            one.assign(
                transform=transform,
                packing=packing,
                run_id=one["run_id"] + transform + packing,
                mean_rms_over_range=error,
                mean_nrmse=error / one["trivial_mean_rms_over_range"],
                ratio_native_bytes=ratio,
                compressed_bytes=native / ratio,
                ratio_native_bytes_with_model=native / (native / ratio + model_bytes),
                at_reference=False,
                **dict.fromkeys(others, math.nan) | ({"held_out_mean_rms_over_range": error} if trained else {}),
                **{name: None for name in AXES if not applies(name, transform)},
            )
            for packing, (error, ratio) in codecs.items()
        ]
        return tables | {"runs": pd.concat([runs, *added], ignore_index=True)}

    return extended


@pytest.fixture(scope="module")
def several(build: Callable[..., Tables], with_codecs: Callable[..., Tables]) -> Tables:
    """Trainings with 1, 5 and 25 epochs, whose compressed files are as large as the table, and classical codecs."""
    tables = with_codecs(build(), CLASSICAL)
    runs = tables["runs"]
    classical = runs["transform"] == NO_TRANSFORM
    runs["mean_relative_error_median"] = runs["mean_rms_over_range"] * np.where(classical, 1.5, 1.0)
    runs["energy_j"] /= np.where(classical, 10.0, 1.0)
    return tables


@pytest.fixture(scope="module")
def threaded(several: Tables) -> Tables:
    """Give a packing without a transform that also ran on four threads instead of two, at half the time."""
    runs = several["runs"]
    one = runs[(runs["transform"] == NO_TRANSFORM) & (runs["packing"] == "pcodec")]
    more = one.assign(threads=4, run_id=one["run_id"] + "-4", duration_s=one["duration_s"] / 2, at_reference=False)
    return several | {"runs": pd.concat([runs, more], ignore_index=True)}


@pytest.fixture(scope="module")
def starts(several: Tables) -> Tables:
    """Add trainings from another start, which have a fifth of the error and eight times the ratio."""
    runs = several["runs"]
    other = runs[runs["epochs"].notna()].assign(start="pca", at_reference=False, ratio_native_bytes=8.0)
    other = other.assign(compressed_bytes=other["rows"] * 12, run_id=other["run_id"] + "/start~pca")
    errors = ["mean_rms_over_range", "mean_nrmse", "mean_relative_error_median"]
    return several | {"runs": pd.concat([runs, other.assign(**other[errors] / 5)], ignore_index=True)}
