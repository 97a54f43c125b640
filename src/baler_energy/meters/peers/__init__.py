"""Peers: other tools wrapped as meters, for comparison with ours. ``baler-energy peer`` runs each in its own process.

- `base`: code shared by all peers (package checks, readings that are null instead of zero, sums)
- `zeus`, `carbontracker`, `perun`, `pyjoules`: one module per tool, used as its documentation recommends

docs/peers.md describes what each measures and assumes, and which of them are correct on a simulated machine.
"""
