"""Baler's autoencoder, from its public description; state dicts and arrays are interchangeable with Baler's.

- `architecture`: layer widths, parameter and operation counts (no torch); `macs`: these, from a record's
  parameters; `counts`: the same counts by other tools
- `model`: the network
- `settings`: how to train; `schedules`: how the learning rate changes; `optimizers`: what
  updates the parameters
- `pruning`: what is removed from a trained network
- `pca_start`: the start ``pca``, principal components inside the network
- `training`: the engine ``reference``, as a Baler user runs it
- `fast`: the training of the engine ``fast``
- `state`: what a training resumes from
- `checkpoint`: the trained codec as a file
- `runtimes`: what computes a trained network, instead of PyTorch itself
- `in_memory`: compress and decompress in memory; `streaming`: the same for files of any size, for the engine ``fast``
- `layer_costs`: an operation's layers and data transfers, each run separately
"""
