"""The work of an operation, as known before it runs: epochs, steps, bytes and FLOPs, from its parameters alone."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from baler_energy.codecs.engines import engine_of
from baler_energy.codecs.precisions import PRECISIONS
from baler_energy.config.parameters import Parameters
from baler_energy.vocabulary import Operation

__all__ = ["TERMS", "with_work", "work"]

#: The terms of a law, from coarse to fine: name, and what one unit of its work is called in a unit such as s/step.
TERMS: Mapping[str, str] = {"job": "job", "epoch": "epoch", "step": "step", "byte": "B", "flop": "FLOP"}

#: Columns of ``runs`` that `work` reads.
_READ = (
    *("rows", "columns", "latent_columns", "epochs", "epochs_run", "batch_size"),
    *("transform", "engine", "model", "precision", "packing", "pruning"),
)
#: Number type of transforms without the axis ``precision``.
_NUMBERS = "float64"


def work(parameters: Mapping[str, Any], operation: str) -> dict[str, float]:
    """Return the work of one operation.

    Parameters
    ----------
    parameters
        Parameters of a run, with ``rows``, ``columns`` and ``latent_columns``; None where they do not apply.
        ``epochs_run``, if there is one, replaces ``epochs``.
    operation
        train, compress or decompress.

    Returns
    -------
    dict
        Amount by name of `TERMS`, NaN if it does not apply or is unknown, as for a pruned network, whose widths are
        unknown. A multiply-accumulate of the matrix products counts as two FLOPs; codecs without them have none. Bytes
        are the numbers that have to move at least. Compression and decompression read or write table and latents; the
        network and a batch between its layers stay in the processor's cache. Training reads the table in each pass and
        the weights in each step, and moves the output of each layer three times: written, read for the gradient, and
        that gradient. Also ``rows_passed``: rows times epochs; and ``size``: that times the multiply-accumulates per
        row.
    """
    trains = operation == Operation.TRAIN
    rows = float(parameters["rows"])
    epochs = parameters.get("epochs_run") or parameters["epochs"]
    passes = float(epochs or 1) if trains else 1.0
    batch = parameters["batch_size"]
    steps = passes * math.ceil(rows / batch) if batch else math.nan
    macs, numbers = _macs_and_numbers(parameters, operation, rows * passes, steps)
    return {
        "job": 1.0,
        "epoch": passes if trains and epochs else math.nan,
        "step": steps,
        "byte": numbers * np.dtype(PRECISIONS[parameters["precision"] or _NUMBERS]).itemsize,
        "flop": 2 * macs * rows * passes,
        "rows_passed": rows * passes,
        "size": rows * passes * (1 if math.isnan(macs) else macs),
    }


def _macs_and_numbers(
    parameters: Mapping[str, Any], operation: str, rows_passed: float, steps: float
) -> tuple[float, float]:
    """Multiply-accumulates per row and pass, and numbers that move in all passes and steps."""
    columns, trains = int(parameters["columns"]), operation == Operation.TRAIN
    latent = int(parameters["latent_columns"] or columns)
    numbers = rows_passed * (columns + (0 if trains else latent))
    engine = engine_of(Parameters.model_construct(None, **parameters))
    macs, layers = engine.macs(operation, parameters), engine.layers(parameters)
    if isinstance(layers, str):
        return math.nan, math.nan
    if trains and layers is not None:
        numbers += 3 * rows_passed * (layers.encode_outputs + layers.decode_outputs) + steps * layers.parameters
    return math.nan if isinstance(macs, str) else float(macs), numbers


def with_work(runs: pd.DataFrame) -> pd.DataFrame:
    """Add the columns of `work` to rows of ``runs``."""
    records = runs[[*_READ, "operation"]].to_dict("records")
    found = [
        work({name: None if pd.isna(record[name]) else record[name] for name in _READ}, record["operation"])
        for record in records
    ]
    names = [*TERMS, "rows_passed", "size"]
    added = pd.DataFrame(found, index=runs.index, columns=names, dtype=float)
    return runs.assign(**{name: added[name] for name in names})
