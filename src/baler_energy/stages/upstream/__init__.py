"""The engine ``upstream`` of the stages: Baler itself, in a process of its own.

- `train`, `compress`, `decompress`: measured
- `profile`: by cProfile
- `work`: what they share

The measured operation is one whole mode of Baler's command line, after its imports: reading the input, scaling, working
and writing its files. Their conversion from and to ours is outside of the window, as is the start of the process, whose
length the record keeps as ``startup_s``.
"""
