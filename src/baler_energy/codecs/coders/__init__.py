"""The words of the axis ``packing``: how numbers are stored.

- `base`: the interfaces of words and of lossless coders
- `numbers`: rounds to a number format; `quantise`: rounds to multiples of a step
- `zstd`, `lz4`, `zlib`, `lzma`, `blosc2`, `pcodec`: lossless coders
- `arrow`, `standard`: shared code of the coders in pyarrow and in Python's standard library
- `parquet`, `root`: common table formats as lossless coders; `tables`: their shared code
- `sz2`, `sz3`, `zfp`: error-bounded coders, which round while packing; `bounded`: their shared code
- `bound`: a bound on every value's error
"""
