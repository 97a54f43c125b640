"""The words of the axis ``packing``: how numbers are stored.

- `base`: what a word says of itself, and what a lossless coder does
- `numbers`: number formats, to which numbers are rounded; `quantise`: multiples of a step
- `zstd`, `lz4`, `zlib`, `lzma`, `blosc2`, `pcodec`: lossless coders
- `arrow`, `standard`: what coders share that come with pyarrow, and with Python
- `parquet`, `root`: files that people keep tables in, as lossless coders; `tables`: what they share
- `sz3`, `zfp`: error-bounded coders, which round as they pack; `bounded`: what they share
- `bound`: a bound of every value's error
"""
