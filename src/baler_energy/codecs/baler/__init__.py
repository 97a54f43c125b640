"""The autoencoder of Baler, from its public description; state dicts and arrays interchange with Baler's.

- `architecture`: layer widths, parameter and operation counts (no torch)
- `model`: the network
- `normalisation`: min-max scaling of columns
- `native`: values back in the columns' own number types
- `settings`: how to train
- `training`: the engine ``reference``, as a Baler user runs it
- `checkpoint`: the trained codec as a file
- `container`: the compressed file (``.baler``)
- `coder`: compress and decompress
"""
