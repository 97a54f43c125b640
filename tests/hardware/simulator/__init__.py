"""A machine whose energy is known, seen through the real interfaces.

- `curves`: power over time, with its exact integral
- `machine`: what a machine has (counters, GPUs, faults), written to a folder of state; the true energy of a window
- `writer`: the process that advances the RAPL counters and keeps the journal
- `nvml.c`, `nvml`: NVIDIA's library, compiled on the spot, computing the counters of GPUs from the same curves
- `run`: runs a command on a machine, in a private mount namespace where that is allowed

On a machine with two sockets and a GPU, any command::

    PYTHONPATH=tests/hardware python -m simulator.run --sockets 2 --gpus 1 -- baler-energy doctor
"""
