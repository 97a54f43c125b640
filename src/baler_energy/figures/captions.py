"""Sentences that the captions of several figures and tables share."""

__all__ = ["ERROR_ROWS", "EVIDENCE", "LOOPS", "SHARES", "SPREAD", "TYPICAL_TIMES"]

EVIDENCE = (
    "The axis or the legend says whether energy is measured (read from a hardware counter) or modelled (computed from "
    "constants and load); the two never share a series."
)
ERROR_ROWS = "Errors are on the compressed rows: for trained codecs, those that they were trained on."
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
LOOPS = (
    "Each part runs alone in a measured window of many repetitions (n = 1), so it finds its data in the caches more "
    "often than in the full operation."
)
