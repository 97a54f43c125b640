"""Upstream Baler, the program that this one measures: its files, and itself as an engine.

- `files`: model, normalisation, latents and tables as Baler writes them, both ways
- `config`: a project's folder and its configuration
- `install`: where Baler is installed
- `project`: what it is given to work on, and what it does not support
- `training`, `compressing`, `decompressing`, `profiling`: its operations; `work`: what they share
- `process`: Baler in a process of its own; `runner`: the program there, which imports nothing of ours
"""
