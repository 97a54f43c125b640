"""The stages: each a plain function, a subcommand of ``baler-energy`` and the command of a rule.

- `study`: a whole study with Snakemake, and its report
- `doctor`, `doctor_slurm`: what this machine, or a cluster's nodes, can measure
- `measure`: any command of the user's
- `advise`: which codec suits a file; `trials`: codecs tried on a sample of it
- `calibrate`: what this machine resolves; `thread_costs`: a part of it
- `baler_import`, `baler_export`: projects of upstream Baler, read and written
- `generate`, `prepare`: tables of HEP data
- `train`, `compress`, `decompress`, `forward`: measured; `measured`: what they share
- `history`, `saved`: what a training writes besides its network: a row per epoch, and the state it resumes from
- `evaluate`: errors of the reconstructed table; `apply`: compress, decompress and evaluate in one process
- `repeats`: which points need further repeats
- `profile`: profiler traces, never in a measured run; `profiled`: the operation that a profiler watches
- `parts`: layers, data and the machine's peaks in measured loops
- `peer`: a training measured by another tool, too; `import_files`: files that other tools wrote
- `collect`: the tidy dataset
- `figures`, `tables`, `report`: what a reader sees
- `schema`: the configuration's schema and its documentation
- `options`, `file_options`: options that name a point, and what to take of a user's file

Each module of a subcommand has ``HELP``, ``EPILOG``, ``add_arguments`` and ``run``, which `baler_energy.cli` puts
together.
"""
