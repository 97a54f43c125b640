"""Upstream Baler, the program that this package measures: its files, and Baler itself as an engine.

- `networks`: Baler's networks, and which of ours it reads
- `files`: reads and writes Baler's models, normalisation, latents and tables
- `config`: a project's folder and its configuration
- `install`: finds the installed Baler
- `project`: makes a project for Baler, and refuses what Baler does not support
- `training`, `compressing`, `decompressing`, `profiling`: Baler's operations; `work`: their shared code
- `process`: Baler in a separate process; `runner`: the program in that process, which imports nothing of this package
"""
