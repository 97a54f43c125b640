"""Meters and the measured window.

- `base`: the `Meter` protocol, `Channel` (what a meter can read here) and `Sample` (a point of a time series)
- `session`: the measured window: idle baseline, warm-up, repetition, flags; `iterations`: the window's iterations;
  `segments`: joins the parts of an interrupted window
- `settings`, `options`: a session's settings and their command-line flags
- `rapl` (with `powercap`, the kernel's files), `nvml` (with `gpus`, `visible`, `sharing`, `throttling`), `codecarbon`,
  `process`, `sampler`: the meters
- `hwmon`, `ipmi`, `power_supply` (with `power_sensor`, their base class), `powermetrics`, `slurm`: meters that only
  some machines support
- `wattmeter`: the log of an external wattmeter, merged by time; `peers`: other tools, wrapped as meters
- `calibration`, `ticks`: the resolution of a machine
- `counters`, `integration`: arithmetic of wrapping counters and of sampled power
- `plausible`: energies that are not believed, whichever meter or tool reports them
- `contamination`, `idle`, `derived`, `lock`: CPU time used by other processes, shared idle baselines, mean power and
  dynamic energy, and the lock that allows one measurement at a time
- `poller`: a thread that calls a function at regular intervals
"""
