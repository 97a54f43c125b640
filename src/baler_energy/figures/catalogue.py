"""Chapters of the report, and the title and caption of each figure and table; imports nothing heavy."""

from dataclasses import dataclass

__all__ = ["CATALOGUE", "CHAPTERS", "TABLES_TITLE", "Entry", "captions"]

#: The questions that have content, by key; the values are categories of the report, which sorts them.
CHAPTERS: dict[str, str] = {
    "cost": "1. What does it cost?",
    "hotspots": "2. Where does it go?",
    "trust": "3. Can the numbers be believed?",
    "worth": "4. Is it worth it?",
}

#: Category of the tables.
TABLES_TITLE = "5. Tables"


@dataclass(frozen=True)
class Entry:
    """Words of a figure or table."""

    title: str
    caption: str


_EVIDENCE = (
    "The axis or the legend says whether energy is measured (read from a hardware counter) or modelled (computed from "
    "constants and load); the two never share a series."
)
_SPREAD = (
    "Markers are means over the repeats, each with its own seed; bars are 95 % t intervals and n is their number. "
    "A point from a single run carries n = 1 and has no bar; a bar that meets the lower edge goes on below it. "
    "Small dots are the single runs. An open marker holds at least one flagged run (contaminated, below resolution, "
    "throttled and so on); no run is left out."
)
_SHARES = (
    "One profiled run (n = 1), apart from the energy measurements. A profiler slows what it watches, so only shares "
    "are shown. Self time excludes the callees."
)


def _sweep(axis: str) -> Entry:
    return Entry(
        f"Energy, CO2e and duration against {axis}",
        f"Energy, CO2e and duration of one train, compress and decompress against {axis}, all other axes at the "
        f"reference that the subtitle names. {_SPREAD} {_EVIDENCE} CO2e follows from the energy with the study's "
        "carbon intensity and PUE, and shares its evidence.",
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
    },
    "hotspots": {
        "components": Entry(
            "Energy by component",
            "Energy of one operation at the reference point, by component, mean over the repeats. Bars of modelled "
            "energy are hatched and stand apart from bars of measured energy: they are never stacked on one another. "
            "The figures above a bar are its total with the half width of its 95 % t interval, and the number of runs "
            "n. Each operation has an axis of its own.",
        ),
        "functions": Entry("Where the time goes: functions (cProfile)", "Share of self time by function. " + _SHARES),
        "operators": Entry(
            "Where the time goes: operators (torch.profiler)", "Share of self time by operator. " + _SHARES
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
            "Energy of the same component in the same window by two meters, and their ratio; each mark is one run. On "
            "the dashed line they agree. Agreement of two meters that read the same counter is not accuracy.",
        ),
        "spread": Entry(
            "Spread over repeats",
            "Standard deviation over mean of duration and energy over the repeats of each point; each mark is a point "
            "with at least two runs, n is the number of runs. Open marks hold a flagged run. The dashed line is at "
            "5 %. " + _EVIDENCE,
        ),
        "contamination": Entry(
            "CPU time of other processes",
            "CPU time that other processes used during each window, as a share of the machine's, in the order of the "
            "runs; each mark is one run. Above the dashed line (5 %) a run is flagged as contaminated. Open marks "
            "carry a flag, whichever it is.",
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
            "grey marks hold a flagged run. " + _EVIDENCE,
        ),
    },
    "tables": {
        "original_layout": Entry(
            "Energy by codecarbon, in the original study's layout",
            "Energy per operation as codecarbon gives it, split in RAM, CPU and GPU. Mean over n repeats, with the "
            "half width of the 95 % t interval. What codecarbon did not measure is said so, with the reason; it is not "
            "zero. Measured and modelled energy have totals of their own.",
        ),
        "summary": Entry(
            "Every point",
            "Energy, duration, CO2e and error of each point and operation: means over n repeats with half widths of "
            "95 % t intervals. A single run (n = 1) has no interval.",
        ),
        "ratios": Entry(
            "What is saved",
            "Compression ratios against three sizes of the original, each without and with the model that "
            "decompressing needs. Below 1 the data grew.",
        ),
        "flagged": Entry(
            "Flagged runs",
            "Runs with a flag other than modelled_only, which says what the energy is rather than what is wrong. They "
            "stay in all figures, with open markers.",
        ),
    },
}


def captions(chapter: str) -> dict[str, str]:
    """Captions (plain text, valid reStructuredText) by figure name of a chapter, or of ``tables``."""
    return {name: f"**{entry.title}.** {entry.caption}" for name, entry in CATALOGUE[chapter].items()}
