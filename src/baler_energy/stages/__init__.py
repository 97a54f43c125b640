"""The stages: each a plain function, a subcommand of ``baler-energy`` and the command of a rule.

- `study`: a whole study with Snakemake, and its report
- `doctor`, `measure`: this machine, and any command of the user's
- `baler_import`, `baler_export`: projects of upstream Baler, read and written
- `generate`, `prepare`: tables of HEP data
- `train`, `compress`, `decompress`: measured; `upstream`: the same with Baler itself
- `evaluate`: errors of the reconstructed table; `apply`: compress, decompress and evaluate in one process
- `repeats`: which points need further repeats
- `profile`: profiler traces, never in a measured run; `parts`: layers, data and the machine's peaks in measured loops
- `collect`: the tidy dataset
- `figures`, `tables`, `report`: what a reader sees
- `schema`: the configuration's schema and its documentation

Each module has ``HELP``, ``EPILOG``, ``add_arguments`` and ``run``, which `baler_energy.cli` puts together.
"""
