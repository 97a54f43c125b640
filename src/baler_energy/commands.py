"""Options of a study that a rule passes to ``baler-energy STAGE``.

Each function returns a list of words, one per argument. The rule quotes them (``{params.point:q}``), so that no user
text reaches a shell unquoted. Values that a stage does not use are left out, so that changing them does not rerun it.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from baler_energy.config.options import options_of
from baler_energy.config.sections import FileData
from baler_energy.config.shown import number_text
from baler_energy.config.study import Point, Study
from baler_energy.file_states import file_state, state_of_source

__all__ = [
    "calibrate_options",
    "derive_options",
    "derived_columns",
    "file_states",
    "generate_options",
    "input_options",
    "needed_columns",
    "parts_options",
    "peer_options",
    "point_options",
    "prepare_options",
    "profile_options",
    "quoted_url",
    "session_options",
    "source_states",
    "training_options",
]


def generate_options(study: Study, dataset: str, seed: int) -> list[str]:
    """Options of ``generate`` for one shard."""
    data = study.data[dataset]
    if isinstance(data, FileData):
        raise ValueError(f"dataset {dataset!r} is a file, so it cannot be generated")
    return ["--source", data.source, "--rows", str(data.shard_rows), "--seed", str(seed)]


def input_options(study: Study, dataset: str, inputs: Sequence[str]) -> list[str]:
    """Option of ``prepare`` for its input: shards, or a downloaded file (`inputs`), or else the user's file."""
    data = study.data[dataset]
    if inputs or not isinstance(data, FileData):
        return ["--input", *inputs]
    return [f"--input={data.path}"]


def file_states(paths: Sequence[str]) -> list[str]:
    """Describe the user's files, so that a rule runs again when one has changed.

    They are parameters of a rule instead of inputs: Snakemake takes ``{T}`` and ``<x>`` in an input for names to fill
    in, and has no way to write such a path.
    """
    return [file_state(path) for path in paths]


def source_states(study: Study, dataset: str, description: Path) -> list[str]:
    """Describe the file of a dataset like `file_states`, in the state of `state_of_source`; empty if it is generated.

    Parameters
    ----------
    study, dataset
        The study, and the name of its dataset.
    description
        The description of the table that is made from the file.
    """
    data = study.data[dataset]
    return [state_of_source(data.path, description)] if isinstance(data, FileData) else []


def quoted_url(url: str) -> str:
    """Write a URL without characters that Snakemake would take for names to fill in."""
    return quote(url, safe="%!#$&'()*+,/:;=?@[]~")


def prepare_options(study: Study, dataset: str, rows: str) -> list[str]:
    """Options of ``prepare``, except its input."""
    data, held_out = study.data[dataset], ["--held-out", number_text(study.training.held_out)]
    if not isinstance(data, FileData):
        return ["--generated", "--rows", rows, *held_out]
    return ["--rows", rows, *held_out, *options_of(data, without=["source", "path", "derived"])]


def derived_columns(study: Study, dataset: str) -> dict[str, tuple[str, ...]]:
    """Columns that a dataset's table must have, by the key that names them."""
    derived = study.data[dataset].derived or {}
    return {f"data.{dataset}.derived.{name}": one.columns for name, one in derived.items()}


def needed_columns(study: Study, dataset: str) -> str:
    """Return `derived_columns` as ``prepare --needed`` reads them."""
    return json.dumps(derived_columns(study, dataset))


def derive_options(study: Study, dataset: str) -> list[str]:
    """Options of ``derive`` that all points of a dataset share."""
    derived = study.data[dataset].derived or {}
    return ["--derived", json.dumps({name: one.model_dump(exclude_unset=True) for name, one in derived.items()})]


def point_options(study: Study, point: Point) -> list[str]:
    """Options that identify the point of a stage."""
    return ["--run-id", point.path, "--seed", str(study.seed_of(point)), *options_of(point, without=["rows"])]


def training_options(study: Study) -> list[str]:
    """Options of ``train`` that all points share, except how often it saves its state, and the held-out rows."""
    return options_of(study.training, without=["save_every_s", "held_out", "learning_rate"])


def calibrate_options(study: Study) -> list[str]:
    """Options of ``calibrate``."""
    return options_of(study.measurement, only=["meters", "calibrate_s", "sample_interval_s"])


def profile_options(study: Study) -> list[str]:
    """Options of ``profile`` that all profilers share."""
    return options_of(study.profile, only=["max_batches", "time_limit_s"])


def parts_options(study: Study) -> list[str]:
    """Options of ``parts``, except those of the measured window."""
    return options_of(study.profile, only=["max_batches"])


def peer_options(study: Study) -> list[str]:
    """Options of ``peer`` that all tools share."""
    return options_of(study.peers, only=["time_limit_s"])


def session_options(study: Study, idle_cache: Path) -> list[str]:
    """Options of the measured window."""
    measurement = study.measurement
    words = options_of(measurement, only=["meters", "min_window_s", "idle_s", "sample_interval_s"])
    if measurement.idle_lifetime_s > 0:
        words += [*options_of(measurement, only=["idle_lifetime_s"]), "--idle-cache", str(idle_cache)]
    return words
