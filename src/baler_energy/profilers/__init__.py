"""Profilers: where the time goes. A profiled run is slower, so its times are used as shares only.

- `base`: what a profiler is, and what it sees of the operation
- `hotspots`: the row that every profiler gives; `tree`: rows of a call tree
- `cprofile`: Python functions and their call tree, by the standard library's profiler
- `torch_profiler`: operators and GPU kernels, by torch's
- `scalene`: lines, with time in Python, native code and the kernel, memory and copies
- `pyspy`: sampled stacks as a flame graph
- `copies`: lines that copy data, and how much of it
- `perf`: hardware counters of the CPU
- `running`: finds other programs, repeats an operation while they watch
"""
