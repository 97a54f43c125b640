"""Meters and the measured window.

- `base`: the `Meter` protocol, `Channel` (what a meter can read here) and `Sample` (a point of a time series)
- `session`: the measured window: idle baseline, warm-up, repetition, flags; `iterations`: its iterations one by one;
  `segments`: a window that was interrupted
- `settings`, `options`: a session's settings and their command-line flags
- `rapl` (with `powercap`, the kernel's files), `nvml` (with `gpus`, `visible`, `sharing`, `throttling`), `codecarbon`,
  `process`, `sampler`: the meters
- `hwmon`, `ipmi`, `power_supply` (with `power_sensor`, what they share), `powermetrics`, `slurm`: meters of fewer
  machines
- `wattmeter`: the log of an external one, merged by time; `peers`: other tools, as meters
- `calibration`, `ticks`: what a machine resolves
- `counters`, `integration`: the arithmetic of counters that wrap, and of sampled power
- `contamination`, `idle`, `derived`, `lock`: what other processes used, shared idle baselines, mean power and dynamic
  energy, and the lock that keeps measurements apart
- `poller`: the thread that reads something at intervals
"""
