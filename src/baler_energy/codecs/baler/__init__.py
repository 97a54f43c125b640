"""The autoencoder of Baler, from its public description; state dicts and arrays interchange with Baler's.

- `architecture`: layer widths, parameter and operation counts (no torch)
- `model`: the network
- `settings`: how to train
- `training`: the engine ``reference``, as a Baler user runs it
- `checkpoint`: the trained codec as a file
- `coder`: compress and decompress in memory; `streaming`: the same of files of any size, for the engine ``fast``
- `fast`: the training of the engine ``fast``
"""
