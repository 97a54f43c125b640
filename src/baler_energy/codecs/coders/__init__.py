"""The words of the axis ``packing``: how numbers are stored.

- `base`: the interfaces of words and of lossless coders
- `numbers`: rounds to a number format; `quantise`: rounds to multiples of a step
- `zstd`, `lz4`, `zlib`, `lzma`, `blosc2`, `pcodec`: lossless coders
- `arrow`, `standard`: what coders share that come with pyarrow, and with Python
- `parquet`, `root`: files that people keep tables in, as lossless coders; `tables`: what they share
- `sz3`, `zfp`: error-bounded coders, which round as they pack; `bounded`: what they share
- `bound`: a bound of every value's error
"""
