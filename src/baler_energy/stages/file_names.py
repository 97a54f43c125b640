"""Names of the files in a study's results that stages write and others read.

The rules in ``workflow/rules`` have the same names, as they are the table of contents; a test compares them.
"""

__all__ = [
    "CHECKPOINT",
    "COMPRESSED",
    "COUNTS",
    "DATA_PACKAGE",
    "DERIVED",
    "DERIVED_HISTOGRAMS",
    "ERRORS",
    "HISTOGRAMS",
    "HISTORY",
    "HOTSPOTS",
    "LEFT_OUT",
    "PEER_RESULT",
    "RECONSTRUCTED",
    "RECORD",
    "SAMPLES",
    "SUMMARY",
]

#: The record of a measured operation, written last.
RECORD = "measurement.json"
#: Power, utilisation and so on over time, in its window.
SAMPLES = "samples.parquet"

#: The trained codec.
CHECKPOINT = "checkpoint.pt"
#: A row per epoch of its training.
HISTORY = "history.parquet"
#: The compressed table.
COMPRESSED = "table.baler"
#: The reconstructed table; of a file of another kind, with the suffix of that kind.
RECONSTRUCTED = "reconstructed.npz"

#: Errors of each column of the reconstructed table.
ERRORS = "errors.parquet"
#: Distributions before and after compression.
HISTOGRAMS = "histograms.parquet"
#: Errors over all columns and compression ratios, written last.
SUMMARY = "summary.json"
#: Quantities computed from columns, before and after compression.
DERIVED = "derived.parquet"
#: Distributions of these quantities.
DERIVED_HISTOGRAMS = "derived_histograms.parquet"

#: Operations of a network, by counting tool.
COUNTS = "counts.json"
#: The rows of one profiled operation.
HOTSPOTS = "hotspots.parquet"
#: A training that another tool also measured.
PEER_RESULT = "peer.json"

#: Description of the dataset's columns.
DATA_PACKAGE = "datapackage.json"
#: Why figures of a chapter were left out, by name.
LEFT_OUT = "left_out.json"
