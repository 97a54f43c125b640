"""The words of the axis ``packing``: how numbers are stored.

- `base`: the interfaces of words and of lossless coders
- `numbers`: rounds to a number format; `quantise`: rounds to multiples of a step
- `zstd`, `lz4`, `zlib`, `lzma`, `blosc2`, `pcodec`: lossless coders
- `arrow`, `standard`: shared code of the coders from pyarrow and from Python's standard library
- `bound`: a bound on every value's error
"""
