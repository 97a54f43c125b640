"""Profilers: where the time goes. Profiling slows a run down, so only the shares of its times are used.

- `base`: the profiler interface, and the interface of the profiled operation
- `hotspots`: the table row that every profiler returns; `tree`: rows of a call tree
- `cprofile`: Python functions and their call tree, by the standard library's cProfile
- `torch_profiler`: operators and GPU kernels, by torch.profiler
- `scalene`: lines, with time in Python, native code and the kernel, memory and copies; `scalene_program`: the process
  that Scalene watches
- `pyspy`: sampled stacks as a flame graph
- `copies`: lines that copy data, with the number of bytes
- `perf`: hardware counters of the CPU
- `running`: finds external profilers, and repeats an operation while they sample it
"""
