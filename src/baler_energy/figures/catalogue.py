"""Chapters of the report, and the title and caption of each figure and table; imports nothing heavy."""

from dataclasses import dataclass

__all__ = ["CATALOGUE", "CHAPTERS", "TABLES_TITLE", "Entry", "captions"]

#: The questions that have content, by key; the values are categories of the report, which sorts them.
CHAPTERS: dict[str, str] = {
    "cost": "1. What does it cost?",
    "hotspots": "2. Where does it go?",
    "trust": "3. Can the numbers be believed?",
    "worth": "4. Is it worth it?",
    "savings": "5. How does it get cheaper?",
}

#: Category of the tables.
TABLES_TITLE = "6. Tables"


@dataclass(frozen=True)
class Entry:
    """Words of a figure or table."""

    title: str
    caption: str


_EVIDENCE = (
    "The axis or the legend says whether energy is measured (read from a hardware counter) or modelled (computed from "
    "constants and load); the two never share a series."
)
_TYPICAL = "Times are those of the median iteration of each window, so one disturbed iteration does not change them."
_SPREAD = (
    "Markers are means over the repeats, each with its own seed; bars are 95 % t intervals and n is their number. "
    "A point from a single run carries n = 1 and has no bar; a bar that meets the lower edge goes on below it. "
    "Small dots are the single runs. Open marks are single flagged runs (contaminated, below resolution, throttled and "
    "so on), which are in no mean; no other run is left out."
)
_SHARES = (
    "One profiled run (n = 1), apart from the energy measurements. A profiler slows what it watches, so only shares "
    "are shown. Self time excludes the callees. On a GPU, time stands where the program waits for it."
)


_LOOPS = (
    "Each part runs alone in a measured window of many repetitions (n = 1), on data that it finds in the caches more "
    "often than within the whole."
)


def _sweep(axis: str) -> Entry:
    return Entry(
        f"Energy, CO2e and duration against {axis}",
        f"Energy, CO2e and duration of one train, compress and decompress against {axis}, all other axes at the "
        f"reference that the subtitle names. {_SPREAD} {_EVIDENCE} CO2e follows from the energy with the study's "
        "carbon intensity and PUE, and shares its evidence; without an intensity it has no panels.",
    )


CATALOGUE: dict[str, dict[str, Entry]] = {
    "cost": {
        "cost_epochs": _sweep("epochs"),
        "cost_rows": _sweep("rows"),
        "cost_batch_size": _sweep("batch size"),
        "loss_epochs": Entry(
            "Loss against epochs",
            "Training loss after each epoch: the longest training at the reference point, and the other batch sizes. "
            "Baler's loss sums over the rows of a batch; shown is the loss per value, the mean squared error of the "
            "normalised data, so that batch sizes compare. Lines are means over the repeats, bands 95 % t intervals, "
            "n is the number of repeats.",
        ),
        "loss_energy": Entry(
            "Loss against joules",
            "The same trainings against the energy spent since the start, one line per repeat. Measured energy is "
            "read from counters at the epochs' edges; modelled energy is codecarbon's at those edges, or the run's "
            "shared out by time. " + _EVIDENCE,
        ),
        "co2e_countries": Entry(
            "The same study in other countries",
            "CO2e of the energy of all clean runs of this study, as if it had run in each country: energy times the "
            "yearly mean carbon intensity of its electricity (codecarbon's table, location-based) times the study's "
            "PUE. The filled mark is the study's own. " + _EVIDENCE,
        ),
        "co2e_hours": Entry(
            "The cheapest hour of the day",
            "Top: carbon intensity by hour of the day (UTC), mean over the days of the study's time series. Bottom: "
            "CO2e of the reference point's training, begun at each hour, by the mean intensity over its length; the "
            "filled mark is the cheapest beginning. " + _EVIDENCE,
        ),
    },
    "hotspots": {
        "components": Entry(
            "Energy by component",
            "Energy of one operation at the reference point, by component, mean over the repeats. Bars of modelled "
            "energy are hatched and stand apart from bars of measured energy: they are never stacked on one another. "
            "The figures above a bar are its total with the half width of its 95 % t interval, and the number of "
            "runs n. Each operation has an axis of its own. Open marks are the totals of single flagged runs, which "
            "are in no mean.",
        ),
        "whole": Entry(
            "From the whole run down to operators",
            "Each operation as a whole (top), split into static power (the idle power over its time, where energy is "
            "measured), data, layers, optimizer and framework overhead, then into single parts, then into the "
            f"operators that torch's profiler saw within each. {_LOOPS} Where energy is only modelled, time stands in.",
        ),
        "parts": Entry(
            "What data and layers cost, each in a measured loop",
            "Every layer, forward and backward, and every movement of data, as a share of the whole operation that was "
            f"measured beside them; the rest is what they do not explain. {_LOOPS} Where energy is only modelled, time "
            "stands in. Training is of one epoch.",
        ),
        "roofline": Entry(
            "Rooflines: operations and layers against the machine's measured peaks",
            "FLOP/s of layers and operations against their FLOP per byte; the roof is what the machine reached in a "
            "long matrix product and a long memory copy (copied bytes count twice: read and written). Where energy is "
            "measured, so is energy per FLOP, with a floor after Choi et al. 2013: energy above idle power of a FLOP "
            "and of a byte, from the same two loops, and idle power over the time that the roof allows. "
            f"FLOPs are two per multiply-accumulate of the matrix products. {_LOOPS}",
        ),
        "calls": Entry(
            "Call tree of training (cProfile)",
            "Top: what one profiled epoch spends in each function at each place, callers above callees; functions that "
            "call one another are one block. Bottom: the tree of the original study, with the shares that its slides "
            f"tell. {_SHARES}",
        ),
        "functions": Entry("Where the time goes: functions (cProfile)", "Share of self time by function. " + _SHARES),
        "sampled": Entry(
            "Where the time goes: functions (py-spy)",
            "Share of the samples in which a function was the innermost one. The flame graph (flamegraph.svg) and the "
            f"file for speedscope.app are beside the data, under profiles/. {_SHARES}",
        ),
        "lines": Entry(
            "Where the time goes: lines (Scalene)",
            "Share of time by line of this program, what a line calls elsewhere included, split into Python, native "
            "code and system. Memory and copied bytes are Scalene's estimates, from a run of its own. Its page "
            f"(scalene.html) is beside the data, under profiles/. {_SHARES}",
        ),
        "copies": Entry(
            "Lines that copy data",
            "Bytes of new NumPy arrays that each line made (also such that are filled later), of Python objects that "
            "it made in bulk, and those that it had torch's copying operators write (stack, cat, clone, copy, index); "
            "and the share of the operation's time that the line takes. One run with tracing.",
        ),
        "operators": Entry(
            "Where the time goes: operators (torch.profiler)", "Share of self time by operator. " + _SHARES
        ),
        "gpu": Entry(
            "Where the GPU's time goes: kernels, copies, waiting (torch.profiler)",
            "Share of the time from the GPU's first event to its last, by kernel, by copy (between host and device, or "
            "within the device), and the time in which the GPU waited for the next. Where streams overlap, the shares "
            "are of the sum. " + _SHARES,
        ),
        "parallel": Entry(
            "Parallel efficiency: speed-up and energy per row against threads",
            "Top: duration of one train, compress and decompress on the fewest threads over that on more; the line is "
            "Amdahl's law, T(n) = T(1) (s + (1 - s) / n), with the serial fraction s that fits all clean runs, where "
            "the law holds. Bottom: energy of the same over the rows of the table, all epochs of a training counted. "
            f"Efficiency is the speed-up over the one in proportion to the threads. {_TYPICAL} {_SPREAD} Runs with the "
            f"same actual number of threads are pooled, whether the study gave it or auto did. {_EVIDENCE}",
        ),
        "gpu_timeline": Entry(
            "One training on the GPU over time",
            "What the driver (NVML) told of the GPU in and around the window (shaded) of one training at the reference "
            "point, first clean repeat (n = 1): power, utilisation (share of time in which a kernel ran), memory in "
            "use, temperature, clocks of the SMs and of the memory, and why clocks were lowered. The dashed line is a "
            "fit of a rise towards a steady state with one time constant (lumped model, Newton's law of cooling, at "
            "constant power); where the samples do not tell it, the subtitle says why. Only quantities that this GPU "
            "reports have a panel. The table of temperatures has all operations and repeats.",
        ),
    },
    "trust": {
        "timeseries": Entry(
            "One run over time",
            "Samples in and around the window (shaded) of one training at the reference point, first repeat (n = 1). "
            "Only quantities that this machine reports have a panel. The legend says where each series comes from and "
            "whether power is measured or modelled.",
        ),
        "meters": Entry(
            "Meter against meter",
            "Energy of the same component in the same window by two meters, and their ratio; each mark is one run, "
            "open where it is flagged. On the dashed line they agree. Agreement of two meters that read the same "
            "counter is not accuracy. The whole node, where a meter reads it, stands against the sum of our parts: "
            "it holds them and everything else that draws power, and is never added.",
        ),
        "calibration": Entry(
            "What this machine resolves",
            "Idle power of each channel, mean and standard deviation over slices of the calibration's idle time; "
            "filled marks are measured, open ones modelled. In words, each counter's tick and the shortest window "
            "that resolves 1 %, which the measured jobs keep to, and what measuring costs.",
        ),
        "spread": Entry(
            "Spread over repeats",
            "Standard deviation over mean of duration and energy over the repeats of each point; each mark is a point "
            "with at least two clean runs, n is the number of runs. Flagged runs are excluded. The dashed line is at "
            "5 %. " + _EVIDENCE,
        ),
        "repeats_needed": Entry(
            "How many repeats tell a difference apart",
            "Repeats of each of two points at which a difference of their means is found with a probability of 80 % "
            "(two-sided t test at 5 %, normal values of equal spread), against the coefficient of variation (CV) of "
            "single runs. Marks stand at the CVs of this study, pooled over its points, for a difference of 5 %; "
            "bars are their 95 % intervals (chi-square), wide where there are few degrees of freedom f. The table of "
            "variation has all quantities.",
        ),
        "iterations": Entry(
            "Spread within windows",
            "A window holds as many iterations of an operation as fit. Each bar is one window: from the lower to the "
            "upper quartile of the durations of its iterations, over their median; a mark is its longest iteration. "
            "Triangles are windows with an iteration above 1.5 times the median (dashed): something disturbed it, "
            "which moves the mean of the window, duration_s, and not its median, duration_median_s. Flagged runs are "
            "drawn like the others. Single iterations are in the table samples.",
        ),
        "contamination": Entry(
            "CPU time of other processes",
            "CPU time that other processes used during each window, as a share of the machine's, in the order of the "
            "runs; each mark is one run. Above the dashed line (5 %) a run is flagged as contaminated. Open marks "
            "carry a flag, whichever it is.",
        ),
        "foreign": Entry(
            "Other tools' results beside ours",
            "Energy against duration of each window in the imported files of other tools, and of each operation of "
            "this study. A mark is one window or one operation; the legend says which components its energy holds "
            "and how many there are. Filled marks are measured, open ones modelled or unknown, half-filled ones a "
            "sum of measured and modelled parts. Dotted lines are constant powers. On a dashed line all energy of a "
            "host is one constant power times duration: nothing was measured there.",
        ),
    },
    "worth": {
        "distributions": Entry(
            "Original and reconstructed distributions",
            "Some columns before and after, at the reference point, first repeat (n = 1). Top: counts per bin. Middle: "
            "reconstructed over original counts, with the statistical uncertainty of the original. Bottom: residual of "
            "each row, reconstructed less original. Rows beyond the axes are counted in the panels.",
        ),
        "column_errors": Entry(
            "Error of each column",
            "Root mean square and largest residual over the range of each column, at the reference point. Markers are "
            "means over the repeats, bars 95 % t intervals, n is the number of repeats. Constant columns have no range "
            "and are left out.",
        ),
        "error_energy": Entry(
            "Error against training energy",
            "Mean over the columns of RMS residual over range, against the energy of the training. Lines join points "
            "that differ in one axis from the reference, whose values stand beside them. Markers "
            "are means over the repeats, bars 95 % t intervals, n is their number; one without bars has n = 1. Open "
            "grey marks are single flagged runs, which are in no mean. " + _EVIDENCE,
        ),
    },
    "savings": {
        "engines": Entry(
            "The engines: energy, time, memory and error",
            "What each engine takes for a row of the table and gives, at the reference point with only the engine "
            "varied, and the precision, which float32 or bfloat16 behind a name says: upstream is Baler itself, "
            "reference its autoencoder in plain PyTorch, of which the other chapters speak, fast the same at the "
            "speed of the hardware. Marks are means over n clean repeats, bars 95 % t intervals, small dots single "
            "runs, open ones flagged. Factors are over the reference: of energy, time and memory the ratio of the "
            "means with an interval by the delta method; of errors and sizes the geometric mean of the ratios of runs "
            "with the same seed. A tilde says that the interval holds 1 or is missing. Energies of other evidence or "
            "components than the reference's are left out. Upstream cuts off the fraction of integers, which ours "
            "round. Windows differ: upstream's holds reading and writing all its files, the fast engine's those of "
            "the tables that it compresses and decompresses, while the reference has its table in memory. Memory is "
            f"the peak of the process and its children, PyTorch included. {_TYPICAL} {_EVIDENCE}",
        ),
        "difference": Entry(
            "Where the difference between the engines comes from",
            "Time per row of each operation by what it is spent on. It is an estimate: the shares that cProfile saw in "
            "one run of its own (n = 1), on the first batches, times the mean time per row of the measured runs, which "
            "no profiler slowed. A profiled training has one epoch: scaling and files count once, all else as often as "
            "the measured one had epochs. A profiler makes Python code look dearer than compiled code. On each path of "
            "the call tree the outermost known function decides, so that nothing counts twice. The fast engine "
            "computes its loss within the products, and folds scaling into the outer layers. What it gives to "
            "other threads, cProfile does not see into. Words beside the bars are the first of each category.",
        ),
        "packing": Entry(
            "What the packing of the latents gains, and its error",
            "Left: the compression ratio against the table in its recorded formats, in two steps on a logarithmic "
            "axis: recorded size over latents as computed (autoencoder), and latents over what is stored of them "
            "with the corrections (packing). Their product, written first, is the file's ratio but for the file's "
            "header. Right: the errors over the columns' ranges, and the bound of the largest, where the packing "
            "asks for one and pays for it with corrections. Markers are means over n repeats, bars 95 % t "
            "intervals, dots single runs.",
        ),
        "forward": Entry(
            "A forward pass against the size of the network",
            "Energy and time of passing one row through encoder and decoder, without gradients, against the network's "
            "parameters (as the original study's slides have it). The rows are in memory and scaled, so that it is the "
            "network alone. Lines are power laws, fitted to the logarithms of the networks' means; the legend gives "
            "the exponent with its 95 % t interval (none with two networks): 1 is in proportion to the size. "
            f"{_TYPICAL} {_SPREAD} {_EVIDENCE}",
        ),
        "error_flops": Entry(
            "Error against operations of the training",
            "Mean over the columns of RMS residual over range against the floating-point operations of the whole "
            "training, two per multiply-accumulate of its matrix products. A line joins the trainings of one network "
            "for different numbers of epochs; a network that trained for one number is a mark. Markers are means over "
            "n repeats, bars 95 % t intervals.",
        ),
    },
    "tables": {
        "original_layout": Entry(
            "Energy by codecarbon, in the original study's layout",
            "Energy per operation as codecarbon gives it, split in RAM, CPU and GPU. Mean over n repeats, with the "
            "half width of the 95 % t interval. What codecarbon did not measure is said so, with the reason; it is not "
            "zero. Measured and modelled energy have totals of their own. Flagged runs are in no mean; where all are "
            "flagged, their values are given as such.",
        ),
        "summary": Entry(
            "Every point",
            "Energy, duration, CO2e and error of each point and operation: means over n clean repeats with half "
            "widths of 95 % t intervals. A single run (n = 1) has no interval. Flagged runs are in no mean of "
            "energy, duration or CO2e; where all are flagged, the span of their values is given as such. Errors do "
            "not depend on the flags and are of all runs.",
        ),
        "metrics": Entry(
            "Efficiency metrics",
            "Means over n clean repeats with half widths of 95 % t intervals; a single run (n = 1) has no interval. "
            "Flagged runs are in no mean; where all are flagged, the span of their values is given as such. Counts do "
            "not depend on the flags. Energies are of the kind and components that the row names. Batch latency is "
            "timed once at the profiled points, the peak is of a long matrix product. Greenness and energy-precision "
            "ratio are of the whole run and stand with its training. Of none, the CSV says why: it has a row per run. "
            "The glossary says what each metric is, and when it misleads.",
        ),
        "glossary": Entry(
            "Glossary of metrics",
            "What the efficiency metrics are: formula, unit, source, and when they mislead.",
        ),
        "ratios": Entry(
            "What is saved",
            "Compression ratios against three sizes of the original, each without and with the model that "
            "decompressing needs, and what of them the autoencoder and the packing gained. Below 1 the data grew. "
            "With a lossless packing or a bound of the error, sizes depend on the training's epochs.",
        ),
        "engines": Entry(
            "The engines side by side",
            "Energy, time and memory of each engine per operation at every point where two ran: means over n "
            "clean repeats with half widths of 95 % t intervals, and factors over the reference in its precision "
            "with 95 % intervals: ratios of means (delta method); of errors geometric means over pairs of the "
            "same seed. Start-up is upstream's process and imports, outside of the window. Energies are of the "
            f"kind that the row names. {_TYPICAL}",
        ),
        "models": Entry(
            "The networks, counted by several tools",
            "Parameters and operations of a forward pass (encode and decode) of one row, by layer widths. Tools differ "
            "in what they call FLOPs: counted is each one's own number; MACs are the multiply-accumulates of the "
            "matrix products that follow from it by its definition, and FLOPs two for each. No tool counts the "
            "activations. Agrees says whether MACs and parameters are those of our own count, or by how much not.",
        ),
        "variation": Entry(
            "Spread over repeats, and repeats needed",
            "Coefficient of variation (CV, standard deviation over mean) of single runs, pooled over the points with "
            "at least two clean runs (squares weighted by their degrees of freedom), with its 95 % interval (chi- "
            "square) and the smallest and largest of a point. Repeats: how many of each of two points it takes to "
            "find a difference of 5 % of their means with a probability of 80 % (two-sided t test at 5 %), at the CV "
            "and at both ends of its interval.",
        ),
        "peers": Entry(
            "Other tools and formulas beside ours",
            "What other tools and published formulas give for the same windows, in runs of their own that stay out of "
            "the results. Values, durations and ratios are medians over n repeats. The ratio is theirs over our energy "
            "of the same components; it is missing where these are not the same, or where ours is part measured, part "
            "modelled.",
        ),
        "findings": Entry(
            "What imported files tell by themselves",
            "Constants, proportions and disagreements found in the imported results of other tools, without being "
            "told.",
        ),
        "calibration": Entry(
            "What this machine resolves",
            "Idle power with its standard deviation, the time between a counter's changes (tick), the shortest window "
            "whose energy resolves to 1 %, the share of CPU time and duration that measuring takes, and what a row "
            "costs the fast engine by threads.",
        ),
        "temperatures": Entry(
            "How warm it became, and how fast",
            "Temperatures in the windows of the reference point, flagged runs included: at the start, at most, and of "
            "a fit of a rise with one time constant (lumped model, Newton's law of cooling, at constant power) the "
            "steady state and the time constant with its standard error; or why it cannot be told. Sensors tell whole "
            "degrees. The last column gives why a GPU's clocks were lowered (NVML), as shares of the window that can "
            "overlap; none means that they were not.",
        ),
        "counters": Entry(
            "Hardware counters of the CPU (perf)",
            "Events of one operation on the profiled batches, as Linux's perf counted them in a run of its own, n = 1. "
            "A miss of the last cache brings a line of it from memory, which gives the bytes. Most virtual machines "
            "show no counters; the table then says so.",
        ),
        "flagged": Entry(
            "Flagged runs",
            "Runs with a flag that excludes them from all means of energy, time and power: all flags but modelled_only "
            "and resumed, which say what a run is rather than what is wrong with it. Figures draw them as single open "
            "marks.",
        ),
    },
}


def captions(chapter: str) -> dict[str, str]:
    """Captions (plain text, valid reStructuredText) by figure name of a chapter, or of ``tables``."""
    return {name: f"**{entry.title}.** {entry.caption}" for name, entry in CATALOGUE[chapter].items()}
