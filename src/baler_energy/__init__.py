"""What it costs, in energy and CO2e, to compress HEP data with Baler.

Map of the package, along the flow of the data:

- `cli`: the command line
- `config`: the typed configuration, its parameters, its grid of points and their paths; `commands`: the options that a
  rule passes to a stage
- `stages`: what a rule runs: prepare, train, apply (compress, decompress, evaluate), profile, collect, ...
- `formats`: table files, read and written in blocks
- `data`: event generation, preparation
- `codecs`: Baler's autoencoder, other transforms, coders, and the compressed file
- `meters`: energy and process meters, and the session that opens the measured window
- `profilers`: where the time goes
- `analysis`: tidy tables, statistics, carbon: pure functions of tables
- `foreign`: results of other tools, read into the tidy schema
- `figures`: the report's figures and tables
- `records`, `vocabulary`: the measurement record and its closed vocabularies
- `variants`: everything that comes in several variants (engines, meters, formats, ...), one line each;
  `variant_kinds`: what such a line declares
- `sources`, `fingerprint`: the code behind a result, and its hash, so that an edit reruns only what it can affect
- `provenance`: machine, software, source and time of a record
- `runnable`: the part of a study that this machine can run; `start`: what a study reads, checked before its first job;
  `file_states`: whether a user's file has changed
- `rounds`: rounds of additional repeats; `remaining`: the line that reports how much is left
- `warm`, `forked`: a process that has done the imports and forks each job
- `cores`, `devices`, `slurm`, `image`: the CPU cores, GPUs, SLURM job and container image of a process;
  `system_files`: files in which the system describes itself
- `logs`: text that other programs wrote: bounded reads, checked rows, numbers and dates
- `files`, `progress`, `errors`: atomic file writes, progress of long tasks, errors that report what to do;
  `temporaries`: temporary files, and the removal of those of dead processes; `signals`: how a process ends on request
- `damage`: what every reader of a file refuses: damage, too much memory, what is no regular file; `mistakes`: what a
  file's contents have wrong, in words
- `time_limit`: a time limit that several tasks share
- `quiet`: other packages' messages, suppressed
- `pools`, `processes`: work in several threads or processes, with results in order
"""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("baler-energy")
