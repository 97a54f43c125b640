"""What it costs, in energy and CO2e, to compress HEP data with Baler.

Map of the package, along the flow of the data:

- `cli`: the command line
- `config`: the typed configuration, its parameters, its grid of points and their paths; `commands`: its values as the
  options that a rule passes to a stage
- `stages`: what a rule runs: prepare, train, apply (compress, decompress, evaluate), profile, collect, ...
- `formats`: files of tables, read and written in blocks
- `data`: event generation, preparation
- `codecs`: Baler's autoencoder and the other transforms, coders, and the compressed file
- `meters`: energy and process meters, and the session that opens the measured window
- `profilers`: where the time goes
- `analysis`: tidy tables, statistics, carbon: pure functions of tables
- `foreign`: results of other tools, read into the tidy schema
- `figures`: the report's figures and tables
- `records`, `vocabulary`: the measurement record and its closed vocabularies
- `variants`: everything that comes in several variants (engines, meters, formats, ...), a line each
- `sources`, `fingerprint`: what a result is made with, and a hash of it by which an edit reruns what it can change
- `provenance`: machine, software, source and time of a record
- `runnable`: what of a study this machine can run; `rounds`: its rounds of further repeats; `remaining`: the line that
  says what is left of it
- `warm`, `forked`: the process that has imported what the jobs need and forks one for each
- `cores`, `devices`, `slurm`, `image`: the CPU cores, GPUs, SLURM job and container image of a process
- `files`, `progress`, `errors`: files that are whole or absent, progress of long work, errors for the person who has to
  act
- `pools`, `processes`: work in several threads or processes, whose results come in order
"""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("baler-energy")
