"""Schedules of the learning rate, the axis ``schedule``; ``constant`` needs no module.

Each module has a function `schedule`, which gives an optimizer its schedule.

- `base`: the interface
- `plateau`: lowers the rate when the loss no longer falls; `one_cycle`: raises and lowers it once
"""
