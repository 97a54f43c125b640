"""A simulated machine with known energy, measured through the real interfaces.

- `curves`: power over time, with its exact integral
- `machine`: description of a machine (counters, GPUs, faults) in a state folder; the true energy of a window
- `writer`: the process that advances the RAPL counters and keeps the journal
- `nvml.c`, `nvml`: a simulated NVIDIA library, compiled on demand, which computes GPU counters from the same curves
- `run`: runs a command on a machine, in a private mount namespace if that is allowed

To run any command on a machine with two sockets and a GPU::

    PYTHONPATH=tests/hardware python -m simulator.run --sockets 2 --gpus 1 -- baler-energy doctor

With ``--busy-w`` the power follows the load, as in a study: ``tests/workflow/test_simulated.py``. Our meters recognise
the machine by a file next to the counters and by the version of the driver, so that every record says "simulated".
"""
