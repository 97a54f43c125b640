"""What it costs, in energy and CO2e, to compress HEP data with Baler.

Map of the package, along the flow of the data:

- `study`: the typed configuration, its grid of points and their paths
- `stages`: what a rule runs: prepare, train, apply (compress, decompress, evaluate), profile, collect, ...
- `data`: readers of HEP formats, event generation
- `codecs`: the autoencoder and its file format
- `meters`: energy and process meters, and the session that opens the measured window
- `profilers`: cProfile and torch.profiler
- `analysis`: tidy tables, statistics, carbon: pure functions of tables
- `figures`: one module per question of the report
- `records`, `vocabulary`: the measurement record and its closed vocabularies
- `provenance`: fingerprints of machine, software and source
- `cli`: the command line
"""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("baler-energy")
