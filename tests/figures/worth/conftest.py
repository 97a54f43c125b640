"""Codecs that are not trained in epochs, next to those that are, of a synthetic study."""

import math
from collections.abc import Callable, Mapping

import pandas as pd
import pytest

from baler_energy.config.parameters import AXES, applies
from baler_energy.variants import NO_TRANSFORM

Tables = dict[str, pd.DataFrame]


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
