"""The stages. Each is a plain function, a subcommand of ``baler-energy`` and the command of a rule.

- `study`: a whole study with Snakemake, and its report
- `doctor`, `doctor_slurm`: what this machine, or a cluster's nodes, can measure
- `measure`: any command
- `advise`: which codec suits a file; `trials`: trials of codecs on a sample of it
- `forecast`: what a job will cost that has not run; `forecast_site`: a year of such jobs at a site; `forecast_text`:
  numbers of both; `hardware`: the laws behind it, as a file to share
- `calibrate`: what this machine resolves; `thread_costs`: its part on numbers of threads
- `baler_import`, `baler_export`: read and write projects of upstream Baler
- `generate`, `prepare`: tables of HEP data
- `train`, `compress`, `decompress`, `forward`: the measured stages; `measured`: what they share
- `history`, `saved`: other outputs of a training: a row per epoch, and the state from which it resumes;
  `stopping`: when its energy no longer buys enough
- `evaluate`: errors of the reconstructed table; `apply`: compress, decompress and evaluate in one process
- `round_trip`: compress and decompress without measuring, for errors only
- `derive`: quantities computed from columns, such as masses, before and after compression
- `repeats`: which points need further repeats
- `profile`: profiler traces, never in a measured run; `profiled`: the operation that a profiler watches
- `parts`: costs of layers and data movements, and the machine's peaks, in measured loops
- `peer`: a training that another tool also measures; `import_files`: files that other tools wrote
- `collect`: the tidy dataset; `run_files`: the files of a run, compared with the grid
- `figures`, `tables`, `report`: the report's figures, tables and first page
- `schema`: the configuration's schema and documentation, and the glossary of metrics
- `options`, `file_options`: options that describe a point, and options for a user's file
- `file_names`: the files in a study's results that stages write and others read
- `summaries`: what a measured stage prints when it has succeeded

Each subcommand's module has ``HELP``, ``EPILOG``, ``add_arguments`` and ``run``, which `baler_energy.cli` uses.
"""
