"""Profilers: where the time goes. A profiled run is slower, so its times are used as shares only.

- `hotspots`: the row that every profiler gives
- `cprofile`: Python functions, by the standard library's profiler
- `torch_profiler`: operators and GPU kernels, by torch's
"""
