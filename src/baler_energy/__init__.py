"""What it costs, in energy and CO2e, to compress HEP data with Baler.

Map of the package, along the flow of the data:

- `config`: the typed configuration, its parameters, its grid of points and their paths
- `stages`: what a rule runs: prepare, train, apply (compress, decompress, evaluate), profile, collect, ...
- `formats`: files of tables, read and written in blocks
- `data`: event generation, preparation
- `codecs`: the autoencoder and its file format
- `meters`: energy and process meters, and the session that opens the measured window
- `profilers`: cProfile and torch.profiler
- `analysis`: tidy tables, statistics, carbon: pure functions of tables
- `figures`: one module per question of the report
- `records`, `vocabulary`: the measurement record and its closed vocabularies
- `variants`: everything that comes in several variants (engines, meters, formats, ...), a line each
- `sources`, `fingerprint`: what a result is made with, and a hash of it by which an edit reruns what it can change
- `provenance`: machine, software, source and time of a record
- `cli`: the command line
"""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("baler-energy")
