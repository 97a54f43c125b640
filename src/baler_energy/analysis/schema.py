"""The tidy tables of a study's dataset, column by column; ``datapackage.json`` and the checks come from here."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from baler_energy.analysis.schema_derived import DERIVED, DERIVED_HISTOGRAMS
from baler_energy.analysis.schema_errors import ERRORS, RUN_ERRORS
from baler_energy.analysis.schema_foreign import FINDINGS, FOREIGN, PEERS
from baler_energy.analysis.schema_summary import SUMMARY
from baler_energy.config.parameters import AXES
from baler_energy.config.shown import column_type, shown
from baler_energy.config.texts import one_of
from baler_energy.errors import BalerEnergyError
from baler_energy.variants import GENERATORS, PROFILERS
from baler_energy.vocabulary import NODE_METERS, NOTES, Evidence, Flag, MeterName, Quantity

__all__ = ["KINDS", "POINT", "TABLES", "Column", "arrow_schema", "check_columns"]

_ARROW = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "datetime": pa.timestamp("us", tz="UTC"),
}


#: Columns whose words are a closed vocabulary in every table.
_WORDS = {name: tuple(map(str, Evidence)) for name in ("evidence", "energy_evidence", "ours_evidence")}


@dataclass(frozen=True)
class Column:
    """A column: Frictionless type, unit (1: a pure number; null: none), meaning.

    Numbers are finite and at least `least` (null: of either sign); text is one of `words`, if there are any.
    """

    name: str
    type: str
    unit: str | None
    meaning: str
    least: float | None = None
    words: tuple[str, ...] = ()


def _column(name: str, kind: str, unit: str, meaning: str) -> Column:
    """Make a column; kind ``signed`` is a number that may be negative, all others may not."""
    least = 0.0 if kind in ("number", "integer") else None
    return Column(name, "number" if kind == "signed" else kind, unit or None, meaning, least, _WORDS.get(name, ()))


def _columns(text: str) -> tuple[Column, ...]:
    """Parse lines of ``name | type | unit | meaning``."""
    return tuple(_column(*(cell.strip() for cell in line.split("|", 3))) for line in text.strip().splitlines())


def _meanings(words: Iterable[Any]) -> str:
    """List words of a vocabulary with their meanings."""
    return "; ".join(f"{word.value} ({word.meaning})" for word in words)


#: Columns with details that are only known once the parameter is applied.
_FACTS = {
    "dataset": f"source | string | | source of the dataset: {one_of([*GENERATORS, 'file'])}",
    "rows": "columns | integer | 1 | columns of the table",
    "compression_ratio": "latent_columns | integer | 1 | columns of the compressed table",
}


def _point() -> tuple[Column, ...]:
    """Columns of a point: its parameters, with the columns of `_FACTS`."""
    columns = _columns("run_id | string | | folder of the point under runs/, unique within the study")
    for name in AXES:
        kind = column_type(name)
        columns += (_column(name, kind, "" if kind == "string" else "1", shown(name).column),)
        columns += _columns(_FACTS.get(name, ""))
    return columns + _columns("repeat | integer | 1 | number of the repeat, from 0; each has its own seed")


POINT = _point()

_OPERATION = "operation | string | | train, compress, decompress, or forward where the study has several networks"

_MEASUREMENTS = POINT + _columns(f"""
{_OPERATION}
quantity | string | | quantity that was read: {_meanings(Quantity)}
component | string | | component that was read, such as cpu, package-0, gpu-0, ram
meter | string | | meter that read it: {_meanings(MeterName)}
evidence | string | | {_meanings(Evidence)}; times and counts of the operating system are measured, too
primary | boolean | | counts towards the run's totals
value | signed | unit | reading over the whole window; null where it failed
unit | string | | unit of value
iterations | integer | 1 | repetitions of the operation in the window
value_per_iteration | signed | unit | value over iterations, for quantities that add up over time; otherwise value
reason | string | | why value is null
bound | number | unit | upper limit of the reading error: ticks at the edges, gaps between samples
detail | string | | how the value was obtained and what it assumes
""")

#: What is wrong with a record, and what is special about it.
_WRONG, _SPECIAL = (_meanings(flag for flag in Flag if (flag in NOTES) == special) for special in (False, True))

_RUNS = (
    POINT
    + _columns(f"""
{_OPERATION}
in_mean | boolean | | the run counts in means of energy, time and power: nothing is wrong with it (run_flags is null)
at_centre | boolean | | the point is the centre of its dataset, on any device: config/README.md, "The centre"
at_reference | boolean | | the report's first page is about this run: it is at the centre, and on as many threads as \
most runs there on its dataset and device
window_start | datetime | | start of the window (UTC)
duration_s | number | s | duration of one iteration: window_s / iterations
window_s | number | s | duration of the whole window
iterations | integer | 1 | repetitions of the operation in the window
duration_lower_quartile_s | number | s | lower quartile of the durations of the window's iterations
duration_median_s | number | s | median of the same: unlike duration_s, not affected by a single disturbed iteration
duration_upper_quartile_s | number | s | upper quartile of the same
duration_longest_s | number | s | longest of the same; these four are null where a training was resumed
energy_j | number | J | energy of one iteration: measured if available, else modelled; never their sum or memory alone
energy_evidence | string | | measured or modelled: what energy_j is
energy_scope | string | | components in energy_j, such as cpu+dram
energy_j_per_mb | number | J/MB | energy_j over native_bytes in MB (1,000,000 B)
energy_measured_j | number | J | measured energy of one iteration (primary meters); null where nothing is measured
energy_modelled_j | number | J | modelled energy of one iteration of the components that are not measured
dynamic_energy_j | signed | J | measured energy minus idle power times duration; null if the energy is modelled
idle_power_w | number | W | idle power of the components in energy_scope
power_mean_w | number | W | energy_j / duration_s
node_energy_j | number | J | energy of the whole node for one iteration; contains the others, so is in no total
node_meter | string | | meter of node_energy_j: {one_of(NODE_METERS)}
co2e_kg | number | kg | emissions of energy_j with the study's carbon intensity and PUE; null if the study sets none
carbon_intensity_g_per_kwh | number | g/kWh | carbon intensity of the electricity during the window
pue | number | 1 | power usage effectiveness of the site
electricity_cost | number | | price of energy_j with the study's price per kWh and PUE, in currency; null without one
price_per_kwh | number | | price of electricity, in currency per kWh
currency | string | | currency of electricity_cost: ISO 4217 code
embodied_co2e_kg | number | kg | share of one iteration in the emissions of making the machine; null without the key
sci_kg_per_gb | number | kg/GB | Software Carbon Intensity (ISO/IEC 21031), always modelled: (co2e_kg + \
embodied_co2e_kg) over native_bytes in GB (10^9 B); null if one is unknown
embodied_source | string | | embodied emissions of the machine, its lifetime and reserved share, with their citation
cpu_time_s | number | s | CPU time of one iteration
memory_peak_b | number | B | largest resident memory
gpu_memory_peak_b | number | B | largest GPU memory
contamination | number | 1 | share of the machine's CPU time used by other processes in the window
contamination_limit | number | 1 | share above which the run is flagged as contaminated: measurement.contamination_limit
run_flags | string | | what is wrong with the run, separated by commas; null if nothing is: {_WRONG}
run_notes | string | | what is special about the run without being wrong, as before: {_SPECIAL}
idle_shared | boolean | | the idle baseline was taken from an earlier job of the same boot
seed | integer | 1 | seed of the model
final_loss | number | 1 | loss of the last epoch, as Baler computes it: it grows with the batch size (train)
loss_per_value | number | 1 | mean squared error of a normalised value in it, at any batch size (train)
peak_learning_rate | number | 1 | largest learning rate of the training; the optimizer's default if none was set (train)
epochs_run | integer | 1 | epochs that the training ran; fewer than epochs if it stopped early (train)
stopped_at_gain_epoch | integer | 1 | epoch at which training.stop_at_gain stopped it; null if it did not (train)
stopped_at_gain_by | string | | components whose energy gained too little, such as cpu+dram, or time; null as before
flops | number | 1 | floating-point operations of one iteration, two per multiply-accumulate (train, forward)
parameters | integer | 1 | trainable parameters
""")
    + _columns(RUN_ERRORS)
    + _columns("""
ratio_float64_bytes | number | 1 | table as float64 over compressed file
ratio_native_bytes | number | 1 | table in its recorded number formats over compressed file
ratio_source_bytes | number | 1 | source file (these rows and columns) over compressed file
ratio_float64_bytes_with_model | number | 1 | table as float64 over compressed file and model
ratio_native_bytes_with_model | number | 1 | table in its recorded number formats over compressed file and model
ratio_source_bytes_with_model | number | 1 | source file (these rows and columns) over compressed file and model
source_bytes_reason | string | | why the ratios to the source file are null; null if they are known
native_bytes | integer | B | size of the table in its recorded number formats
compressed_bytes | integer | B | size of the compressed file
latent_bytes | integer | B | size of the latents as computed, in the network's precision (compress)
stored_latent_bytes | integer | B | stored latents, in the packing's number format, losslessly packed (compress)
correction_bytes | integer | B | size of the corrections that enforce the error bound; 0 without a bound (compress)
ratio_autoencoder_float64_bytes | number | 1 | table as float64 over latent_bytes: the autoencoder's share of the ratio
ratio_autoencoder_native_bytes | number | 1 | table in its recorded number formats over latent_bytes
ratio_packing | number | 1 | latent_bytes over stored latents and corrections; times the above: ratio without header
startup_s | number | s | before the window: starting and importing upstream, or preparing another runtime; else null
coder_startup_s | number | s | before the window: loading the coder of the packing, a first small array; null without
runtime_deviation | number | 1 | largest difference of results from eager's over their range; null if eager
runtime_reason | string | | why the run does not count: its runtime failed or deviates beyond the tolerance; else null
hostname | string | | machine
cpu_model | string | | CPU
gpu_model | string | | GPUs; empty if there is none
virtualised | boolean | | the machine is a virtual machine
slurm_job_id | string | | SLURM job of the run; this and the next columns are null outside SLURM
slurm_node | string | | SLURM's name of the node
slurm_partition | string | | partition of the job
slurm_cpus | integer | 1 | CPUs allocated to the job
slurm_gpus | integer | 1 | GPUs allocated to the job
slurm_memory_bytes | integer | B | memory allocated to the job
slurm_exclusive | boolean | | no other job could share the node; null if the controller did not answer
source_fingerprint | string | | fingerprint of the code that measured
""")
)

_SUMMARY = (
    tuple(column for column in POINT if column.name not in ("run_id", "repeat"))
    + _columns(_OPERATION)
    + _columns(SUMMARY)
)

_SAMPLES = POINT + _columns(f"""
{_OPERATION}
time_s | signed | s | time from the start of the window
window_s | number | s | duration of the window
meter | string | | meter that took the sample
component | string | | component that was sampled
quantity | string | | power, utilisation, temperature, memory, clock, memory_clock or throttle_reasons (NVML's bits); \
iteration_duration and iteration_energy at the end of each iteration
evidence | string | | measured or modelled
value | signed | unit | sample
unit | string | | unit of value
""")

_HISTORY = POINT + _columns("""
epoch | integer | 1 | epoch, from 1
loss | number | 1 | mean over the batches of the summed squared error / columns: it grows with the batch size
loss_per_value | number | 1 | mean squared error of a normalised value, at any batch size
duration_s | number | s | duration of the epoch; null where the engine does not report it (upstream)
elapsed_s | number | s | time from the start of the training to the end of the epoch
energy_j | number | J | energy up to the end of the epoch, same components as the run's energy_j
energy_evidence | string | | measured (counters read at epoch edges) or modelled (share of the run's energy by time)
""")

_ERRORS = POINT + _columns(ERRORS)

_HISTOGRAMS = POINT + _columns("""
column | string | | column of the table
kind | string | | original, reconstructed or residual (reconstructed minus original)
low | signed | | lower edge of the bin, in the column's own unit
high | signed | | upper edge of the bin, in the column's own unit
count | integer | 1 | values in the bin
""")

#: Kinds of rows of ``hotspots``: what a row is, and what its shares refer to.
KINDS = {
    "function": "a Python function or built-in; shares of the profiled run",
    "call": "a function at one place in the call tree, given by stack; shares of the profiled run",
    "operator": "an operator of torch; shares of all operators",
    "kernel": "a kernel on the GPU; shares of kernels, copies and waiting",
    "copy": "torch: a copy on the GPU, shares as for kernel; copies: a line that copies data, shares of the operation",
    "idle": "the GPU waiting for work; shares as for kernel",
    "line": "a line of code; shares of the profiled run",
    "python": "time of a line in Python itself; shares as for line",
    "native": "time of a line in compiled code; shares as for line",
    "system": "time of a line in the kernel or waiting; shares as for line",
    "counter": "a hardware counter; calls is the number of its events",
    "whole": "the whole operation, measured with its parts",
    "data": "a part that moves or scales data; shares of the whole (files come from the page cache)",
    "layer": "a part that is a layer's forward or backward pass, or the loss; shares of the whole",
    "optimizer": "the part that updates the parameters; shares of the whole",
    "static": "idle power times the whole's duration, a part of its energy; only where that is measured",
    "overhead": "the whole minus its parts, the unexplained rest (negative: the parts explain too much)",
    "peak": "the machine's best rate in a long matrix product or a long copy",
    "latency": "time that this share of the batches stays below (name is the percentile)",
    "absent": "the profiler could not run; reason says why",
}

_HOTSPOTS = POINT + _columns(f"""
operation | string | | train, compress or decompress; prepare for reading the table; machine for peaks
profiler | string | | {one_of(PROFILERS)} (parts: measured loops)
kind | string | | kind of row: {"; ".join(f"{kind} ({meaning})" for kind, meaning in KINDS.items())}
name | string | | name of the function, operator, layer or counter
file | string | | source file, null for built-ins and operators
line | integer | 1 | line in the file
stack | string | | call path from the outermost function, separated by semicolons, where known
calls | integer | 1 | number of calls; for idle: of gaps; for a counter: of events
self_share | signed | 1 | own time over the total of its kind
total_share | signed | 1 | time including callees over the same
self_time_s | signed | s | time without callees; slowed by profilers, so use shares (parts, peaks, latencies: true)
total_time_s | signed | s | time including callees
memory_bytes | signed | B | memory allocated
bytes | number | B | bytes moved or copied
flops | number | 1 | floating-point operations, two per multiply-accumulate
energy_j | signed | J | energy, only for parts and peaks
energy_evidence | string | | measured or modelled: what energy_j is
energy_scope | string | | components in energy_j, such as cpu+dram
run_flags | string | | what is wrong with a measured loop, as in runs; null if nothing is, or for other rows
reason | string | | why there are no values
""")

_MODELS = POINT + _columns("""
tool | string | | tool that counted
tool_version | string | | version of the tool
counted | number | 1 | the tool's count for a forward pass (encode and decode) of one row
definition | string | | what the tool counts
macs | number | 1 | multiply-accumulates of the matrix products of one row, derived from counted
parameters | integer | 1 | weights and biases, counted by the same tool
reason | string | | why counted is null
""")

_CALIBRATION = _columns("""
hostname | string | | machine
cpu_model | string | | CPU
gpu_model | string | | GPUs; empty if there is none
meter | string | | meter that was calibrated; session for all meters together
component | string | | component of the channel; machine for all together; threads-2: on two threads
quantity | string | | idle_power, tick, shortest_window (for 1 %), overhead_cpu/_duration, energy/time_per_row, threads
value | signed | unit | mean or median; null if it could not be determined
spread | number | unit | standard deviation over the n values; of an effect, also of what it is compared with
n | integer | 1 | number of values
unit | string | | unit of value and spread
evidence | string | | measured or modelled
detail | string | | how it was determined, or why value is null
""")

_PEERS = POINT + _columns(PEERS)

_FOREIGN = _MEASUREMENTS + _columns(FOREIGN)

_FINDINGS = _columns(FINDINGS)

_ELECTRICITY = _columns("""
kind | string | | country (yearly mean), hour (time series) or value (a number in the study)
name | string | | ISO 3166-1 alpha-3 code of the country; otherwise the source of the value
hour | datetime | | start of the hour (UTC) in a time series with dates
hour_of_day | integer | h | hour of the day, from 0
carbon_intensity_g_per_kwh | number | g/kWh | carbon intensity, location-based
used | boolean | | the study's CO2e uses it
""")
_LEFT_OUT = _columns("""
axis | string | | parameter that the runs have in common
value | string | | its value
runs | integer | 1 | runs that were left out
of_runs | integer | 1 | runs of the whole study
reason | string | | what this machine lacks
""")
_BREAK_EVEN = _columns("""
name | string | | key under break_even in the study; its last words are the unit
value | number | | likeliest value
low | number | | lower end of the range
high | number | | upper end of the range
currency | string | | currency of prices
""")

TABLES: dict[str, tuple[str, tuple[Column, ...]]] = {
    "measurements": ("A row per reading of a meter.", _MEASUREMENTS),
    "runs": ("A row per run and operation, values per iteration.", _RUNS),
    "summary": (
        "A row per point, operation and kind of energy: means over the repeats that count, with n and intervals.",
        _SUMMARY,
    ),
    "samples": ("Time series in and around each window.", _SAMPLES),
    "history": ("A row per epoch of each training.", _HISTORY),
    "errors": ("Errors of each column of each reconstructed table, and on held-out rows.", _ERRORS),
    "histograms": ("Distributions before and after compression, for the first repeat of each point.", _HISTOGRAMS),
    "derived": ("Quantities computed from columns, a row per quantity and window.", POINT + _columns(DERIVED)),
    "derived_histograms": ("Their distributions, of first repeats only.", POINT + _columns(DERIVED_HISTOGRAMS)),
    "hotspots": ("A row per function, operator, line, layer and so on of each profiled run.", _HOTSPOTS),
    "models": (
        "Operations and parameters of each network, counted by several tools; only if the study has several networks.",
        _MODELS,
    ),
    "calibration": ("What this machine resolves: idle power, ticks, windows, overhead, cost by threads.", _CALIBRATION),
    "peers": ("A row per reading of another tool or formula, with ours over the same window.", _PEERS),
    "foreign": ("Imported results of other studies, a row per reading.", _FOREIGN),
    "findings": ("What energies show by themselves: the study's own readings, and imported files.", _FINDINGS),
    "electricity": ("Carbon intensities of countries and hours, and which one the study uses.", _ELECTRICITY),
    "left_out": ("Runs of the study that this machine could not run.", _LEFT_OUT),
    "break_even": ("What it costs to keep, move and read data, with ranges.", _BREAK_EVEN),
}


def arrow_schema(table: str) -> pa.Schema:
    """Arrow schema of a table of `TABLES`, with units and meanings as field metadata."""
    return pa.schema(
        [
            pa.field(c.name, _ARROW[c.type], metadata={"unit": c.unit or "", "meaning": c.meaning})
            for c in TABLES[table][1]
        ]
    )


def check_columns(table: str, names: list[str]) -> None:
    """Refuse a table whose columns are not exactly those of the schema.

    Raises
    ------
    BalerEnergyError
        Columns are missing, unknown or given twice.
    """
    expected = [c.name for c in TABLES[table][1]]
    missing, unknown = sorted(set(expected) - set(names)), sorted(set(names) - set(expected))
    if missing or unknown:
        raise BalerEnergyError(f"table {table}: missing columns {missing}, unknown columns {unknown}")
    if len(names) > len(expected):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise BalerEnergyError(f"table {table}: columns {twice} are duplicated")
