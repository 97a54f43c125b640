"""Sentences that the captions of several figures and tables share."""

__all__ = ["EVIDENCE", "LOOPS", "SHARES", "SPREAD", "TYPICAL_TIMES"]

EVIDENCE = (
    "The axis or the legend says whether energy is measured (read from a hardware counter) or modelled (computed from "
    "constants and load); the two never share a series."
)
TYPICAL_TIMES = (
    "Times are those of the median iteration of each window, so one disturbed iteration does not change them."
)
SPREAD = (
    "Markers are means over the repeats, each with its own seed; bars are 95 % t intervals and n is their number. "
    "A point from a single run carries n = 1 and has no bar; a bar that meets the lower edge goes on below it. "
    "Small dots are the single runs. Open marks are single flagged runs (contaminated, below resolution, throttled and "
    "so on), which are in no mean; no other run is left out."
)
SHARES = (
    "One profiled run (n = 1), apart from the energy measurements. A profiler slows what it watches, so only shares "
    "are shown. Self time excludes the callees. Time on a GPU is shown where the program waits for it."
)
LOOPS = (
    "Each part runs alone in a measured window of many repetitions (n = 1), on data that it finds in the caches more "
    "often than within the whole."
)
