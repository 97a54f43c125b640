"""Synthetic runs of engines, packings and models other than the reference's; `conftest` runs it as a file."""

import math
from typing import Any

import pandas as pd

from baler_energy.config.parameters import AXES, applies

Tables = dict[str, pd.DataFrame]

REFERENCE = {"rows": 30_000, "batch_size": 512, "epochs": 5, "threads": 2}
#: Energy, time and error of other engines and precisions as fractions of the reference's.
ENGINES = {
    ("upstream", "float64"): (1.8, 1.05),
    ("fast", "float64"): (0.6, 1.0),
    ("fast", "float32"): (0.3, 1.001),
}
#: Packings: stored latents and corrections over latents as computed; error bound.
PACKINGS: dict[str, tuple[float, float, float | None]] = {
    "float32": (0.5, 0.0, None),
    "float16+zstd": (0.2, 0.0, None),
    "zstd+bound-0.01": (0.9, 0.3, 0.01),
}
#: Codecs without training: error and ratio by packing.
CLASSICAL = {"zstd": (0.0, 3.0), "zstd+bound-0.001": (0.0003, 8.0), "zstd+bound-0.1": (0.03, 20.0)}
#: Time and energy of other runtimes as fractions of eager's.
RUNTIMES = {"torchscript": 1.1, "onnx-runtime": 0.8}
#: Parameters of other models; costs and errors follow from them.
MODELS = {"baler-small": 1_500, "baler-x2": 200_000}
_PARAMETERS = 61_536
#: Losses of other optimizers as fractions of Adam's.
OPTIMIZERS = {"sgd": 3.0, "muon": 0.3}
#: Shares of a training from cProfile: function, file, share.
CALLS = {
    "upstream": (("normalize", "baler/modules/helper.py", 0.3), ("backward", "torch/_tensor.py", 0.5)),
    "reference": (
        ("normalise", "our/codecs/baler/normalisation.py", 0.1),
        ("backward", "torch/_tensor.py", 0.8),
    ),
    "fast": (("differentiate", "our/codecs/baler/fast.py", 0.9),),
}
#: Errors that are means over columns.
_ERRORS = ("mean_rms_over_range", "mean_relative_error_median")
_COSTS = (
    *(
        "duration_s",
        "duration_lower_quartile_s",
        "duration_median_s",
        "duration_upper_quartile_s",
        "duration_longest_s",
    ),
    *("window_s", "energy_j", "energy_measured_j", "energy_modelled_j", "dynamic_energy_j"),
)


def sizes(native: int) -> dict[str, float]:
    """Sizes of a file whose latents take as much as the recorded formats, unpacked."""
    found = {"latent_bytes": native, "stored_latent_bytes": native, "correction_bytes": 0, "ratio_packing": 1.0}
    return found | {"ratio_autoencoder_float64_bytes": 2.0, "ratio_autoencoder_native_bytes": 1.0}


def with_engines(tables: Tables) -> Tables:
    """Add the engines of `ENGINES` at every point; `PACKINGS`, `MODELS` and `CLASSICAL` at the study's centre.

    Every engine is also profiled at the study's centre, and of all models there is a forward pass.
    """
    added: dict[str, list[pd.DataFrame]] = {name: [table] for name, table in tables.items()}
    for (engine, precision), (cost, error) in ENGINES.items():
        for name, table in tables.items():
            if "run_id" in table and name not in ("hotspots", "peers", "foreign"):
                added[name].append(_engine(table, engine, precision, cost, error))
    added["hotspots"] += [_calls(tables, engine) for engine in CALLS]
    for packing in PACKINGS:
        for name in ("runs", "errors", "history", "measurements", "samples"):
            added[name].append(_packed(_at_reference(tables[name]), packing))
    models = [_model(_at_reference(tables["runs"]), *one) for one in MODELS.items()]
    for model, parameters in MODELS.items():
        for name in ("runs", "history", "errors"):
            added[name].append(_model(_at_reference(tables[name]), model, parameters))
    added["runs"] += [_computed(_at_reference(tables["runs"]), *one) for one in RUNTIMES.items()]
    added["runs"] += [_forward(part) for part in (_at_reference(added["runs"][0]), *models)]
    made = {
        name: pd.concat([part.astype(tables[name].dtypes) for part in parts if len(part)], ignore_index=True)
        if sum(map(bool, map(len, parts))) > 1
        else parts[0]
        for name, parts in added.items()
    }
    classical = [_classical(_at_reference(tables["runs"]), packing) for packing in CLASSICAL]
    return made | {"runs": pd.concat([made["runs"], *classical], ignore_index=True)}


def with_optimizers(tables: Tables) -> Tables:
    """Add the trainings of other optimizers at the study's centre."""
    made = dict(tables)
    for name in ("runs", "history", "errors"):
        here = _at_reference(tables[name])
        here = here[here["engine"].eq("reference") & here["model"].eq("baler") & here["packing"].eq("none")]
        others = [_optimizer(here, optimizer, loss) for optimizer, loss in OPTIMIZERS.items()]
        made[name] = pd.concat([tables[name], *others], ignore_index=True)
    return made


def _at_reference(table: pd.DataFrame) -> pd.DataFrame:
    return table[(table[list(REFERENCE)] == pd.Series(REFERENCE)).all(axis=1)]


def _engine(table: pd.DataFrame, engine: str, precision: str, cost: float, error: float) -> pd.DataFrame:
    other = table.assign(engine=engine, precision=precision, run_id=f"{engine}/{precision}/" + table["run_id"])
    factors = dict.fromkeys((*_COSTS, "cpu_time_s", "co2e_kg"), cost)
    factors |= dict.fromkeys((*_ERRORS, "max_over_range", "rms_over_range"), error)
    factors |= dict.fromkeys(("value", "value_per_iteration", "loss", "loss_per_value"), cost) | {"memory_peak_b": 1.1}
    for name in factors.keys() & set(other.columns):
        other[name] = other[name].astype(float) * factors[name]
    return other.assign(startup_s=2.5) if engine == "upstream" and "startup_s" in other else other


def _packed(table: pd.DataFrame, packing: str) -> pd.DataFrame:
    stored, corrections, bound = PACKINGS[packing]
    other = table.assign(packing=packing, run_id=f"{packing}/" + table["run_id"])
    if "latent_bytes" not in other:
        return other
    other["stored_latent_bytes"] = (other["latent_bytes"] * stored).round()
    other["correction_bytes"] = (other["latent_bytes"] * corrections).round()
    other["ratio_packing"] = other["latent_bytes"] / (other["stored_latent_bytes"] + other["correction_bytes"])
    for name in ("ratio_native_bytes", "ratio_float64_bytes"):
        other[name] = other[name] / (stored + corrections)
    if bound is not None:
        other["max_over_range"] = bound * 0.999
        other["mean_rms_over_range"] = bound / 4
        other["mean_relative_error_median"] = 3 * bound / 4
    return other


def _classical(runs: pd.DataFrame, packing: str) -> pd.DataFrame:
    error, ratio = CLASSICAL[packing]
    absent = {name: None for name in AXES if not applies(name, "identity")}
    mine = runs[runs["operation"] != "train"].assign(transform="identity", packing=packing, **absent)
    results = {"mean_rms_over_range": error, "mean_nrmse": error / 0.08, "max_over_range": 4 * error}
    results |= {"mean_relative_error_median": 3 * error}
    results |= {"ratio_native_bytes": ratio, "compressed_bytes": mine["rows"] * 96 / ratio}
    results |= dict.fromkeys((name for name in mine if name.startswith("held_out")), math.nan)
    return mine.assign(run_id=f"identity/{packing}/" + mine["run_id"], **results)


def _model(table: pd.DataFrame, model: str, parameters: int) -> pd.DataFrame:
    other = table.assign(model=model, run_id=f"{model}/" + table["run_id"])
    size = parameters / _PARAMETERS
    factors = dict.fromkeys((*_COSTS, "flops"), size)
    factors |= dict.fromkeys((*_ERRORS, "rms_over_range"), size**-0.3)
    for name in factors.keys() & set(other.columns):
        other[name] = other[name].astype(float) * factors[name]
    return other.assign(parameters=parameters) if "parameters" in other else other


def _optimizer(table: pd.DataFrame, optimizer: str, loss: float) -> pd.DataFrame:
    other = table.assign(optimizer=optimizer, run_id=f"{optimizer}/" + table["run_id"])
    columns = {name: other[name] * loss for name in ("loss", "loss_per_value") if name in other}
    return other.assign(**columns)


def _computed(runs: pd.DataFrame, runtime: str, cost: float) -> pd.DataFrame:
    """Rows of a runtime, which affects compression and decompression."""
    other = runs.assign(runtime=runtime, run_id=f"{runtime}/" + runs["run_id"])
    applied = other["operation"] != "train"
    for name in _COSTS:
        other.loc[applied, name] = other.loc[applied, name].astype(float) * cost
    other.loc[applied, ["startup_s", "runtime_deviation"]] = [1.5, 1e-15]
    return other


def _forward(runs: pd.DataFrame) -> pd.DataFrame:
    """Rows of the forward pass, which takes as long as decompression."""
    parameters = runs["parameters"].dropna().iloc[0]
    rows = runs[runs["operation"] == "decompress"].assign(operation="forward", parameters=parameters)
    return rows.drop(columns=[*_ERRORS, "max_over_range"]).reindex(columns=runs.columns)


def _calls(tables: Tables, engine: str) -> pd.DataFrame:
    """Rows of cProfile's call tree of one run of an engine, all operations alike."""
    runs = _at_reference(tables["runs"])
    train = runs[(runs["operation"] == "train") & (runs["repeat"] == 0)]
    own = ("run_flags", "operation")
    names = [name for name in tables["hotspots"].columns if name in train and name not in own]
    points = train[[name for name in names if not name.startswith("energy")]]
    points = points.assign(engine=engine, run_id=f"{engine}/float64/" + points["run_id"])
    if engine == "reference":
        points = points.assign(run_id=train["run_id"])
    rows: list[dict[str, Any]] = []
    for point in points.to_dict("records"):
        for operation in ("train", "compress", "decompress"):
            head = point | {"operation": operation, "profiler": "cprofile", "kind": "call"}
            rows.append(head | {"name": "main", "stack": "main", "total_share": 1.0, "total_time_s": 2.0})
            for name, file, share in CALLS[engine]:
                row = {"name": name, "file": file, "stack": f"main;{name}", "total_share": share}
                rows.append(head | row | {"total_time_s": 2.0 * share})
    return pd.DataFrame(rows).reindex(columns=tables["hotspots"].columns)
