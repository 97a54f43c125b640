"""Pruning of a trained network, the axis ``pruning``; ``none`` needs no module.

Each module has a function `pruned`, which gives the network to fine-tune.

- `base`: values of the axis, and the interface (no torch)
- `neurons`: removes the neurons of smallest magnitude; `costly_neurons`: of smallest magnitude for their measured cost
- `weights`: sets the smallest weights to zero; the matrices keep their sizes
"""
