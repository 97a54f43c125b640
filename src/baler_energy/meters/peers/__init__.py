"""Other tools as meters: peers, to compare with ours, each run in a process of its own by ``baler-energy peer``.

- `base`: what peers share (is the package there, readings that are never zero for missing, scopes)
- `zeus`, `carbontracker`, `perun`, `pyjoules`: one module per tool, used as its documentation says

docs/peers.md says what each measures, what it assumes, and which of them find the truth on a simulated machine.
"""
