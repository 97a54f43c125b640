"""Titles, and sentences of captions, that several figures and tables share."""

from baler_energy.variants import ENGINES, load

__all__ = [
    "COST_METRICS_TITLE",
    "ERROR_ROWS",
    "EVIDENCE",
    "LOOPS",
    "SHARES",
    "SPREAD",
    "STARTUP_AND_DEVIATION",
    "TIME_TO_A_LOSS_TITLE",
    "TOO_FEW",
    "TO_A_LOSS",
    "TRIVIAL_LINE",
    "TYPICAL_TIMES",
    "engine_notes",
]


def engine_notes(topic: str, form: str = "{} {}") -> str:
    """Join what engines say about a topic in captions, each in a form for its name and its words."""
    said = {name: load(*modules["figures"]).NOTES for name, modules in ENGINES.items() if "figures" in modules}
    return "; ".join(form.format(name, notes[topic]) for name, notes in said.items() if topic in notes)


COST_METRICS_TITLE = "Which metric is representative of the cost"
TIME_TO_A_LOSS_TITLE = "Optimizers and batch sizes: time and energy to reach a loss"
EVIDENCE = (
    "The axis or the legend says whether energy is measured (read from a hardware counter) or modelled (computed from "
    "constants and load); the two never share a series."
)
ERROR_ROWS = "Errors are on the compressed rows: for trained codecs, those that they were trained on."
TOO_FEW = "no point has two unflagged runs; a spread needs at least two repeats"
TRIVIAL_LINE = "The dotted line is the error of storing only the columns' means."
TYPICAL_TIMES = "Times are those of each window's median iteration, so one disturbed iteration does not affect them."
SPREAD = (
    "Markers are means over n repeats, each with its own seed; bars are 95 % t intervals. A single run is labelled "
    "n = 1 and has no bar; a bar that reaches the lower edge continues below it. Small dots are single runs. Open "
    "marks are flagged runs (contaminated, below resolution, throttled and so on), which are excluded from the means; "
    "no other run is left out."
)
SHARES = (
    "One profiled run (n = 1), separate from the energy measurements. A profiler slows the program down, so only "
    "shares are shown. Self time excludes callees. GPU time appears where the program waits for the GPU."
)
TO_A_LOSS = (
    "Time and energy include what precedes the first epoch, such as scaling and the start's parameters. They are not "
    "per epoch, since an epoch of one setting may cost several of another. Baler sums its loss over a batch (as in "
    "training.stop_at_loss); per row it is the mean squared error of the scaled values, so that batch sizes can be "
    "compared. At a constant rate the costs come from the history of the longest training; with a schedule that "
    "depends on the number of epochs, from separate trainings, with their last loss and whole cost."
)
STARTUP_AND_DEVIATION = (
    "Start-up is outside of the window: import, export, compilation without a cache, and the first batch; "
    "decompression runs in the same process, so that its start-up has no imports. Deviation: the largest difference "
    f"from eager's results on the table's rows ({engine_notes('deviation', '{}: {}')}), over their range; runs beyond "
    "the precision's tolerance are left out of the means."
)
LOOPS = (
    "Each part runs alone in a measured window of many repetitions (n = 1), so it finds its data in the caches more "
    "often than in the full operation."
)
