"""Upstream Baler, the program that this one measures: its files.

- `files`: model, normalisation, latents and tables as Baler writes them, both ways
- `config`: a project's folder and its configuration
"""
