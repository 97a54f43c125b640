"""Codecs without training, next to the trained ones of a synthetic study."""

import math
from collections.abc import Callable, Mapping

import pandas as pd
import pytest

from baler_energy.config.parameters import AXES, applies
from baler_energy.variants import NO_TRANSFORM

Tables = dict[str, pd.DataFrame]


@pytest.fixture(scope="session")
def with_codecs() -> Callable[[Tables, Mapping[str, tuple[float, float]]], Tables]:
    """Return a function that adds codecs without training to the runs, given their error and ratio by packing.

    They cost as much as the trained codecs at the study's centre. Trainings with other batch sizes, which are codecs of
    their own, are left out.
    """

    def extended(tables: Tables, codecs: Mapping[str, tuple[float, float]]) -> Tables:
        runs = tables["runs"][tables["runs"]["batch_size"] == 512]
        one = runs[runs["at_centre"] & (runs["operation"] != "train")]
        held_out = [name for name in runs if name.startswith("held_out")]
        added = [
            one.assign(
                transform=NO_TRANSFORM,
                packing=packing,
                run_id=one["run_id"] + packing,
                mean_rms_over_range=error,
                mean_nrmse=error / one["trivial_mean_rms_over_range"],
                ratio_native_bytes=ratio,
                compressed_bytes=one["ratio_native_bytes"] * one["compressed_bytes"] / ratio,
                at_centre=False,
                **dict.fromkeys(held_out, math.nan),
                **{name: None for name in AXES if not applies(name, NO_TRANSFORM)},
            )
            for packing, (error, ratio) in codecs.items()
        ]
        return tables | {"runs": pd.concat([runs, *added], ignore_index=True)}

    return extended
