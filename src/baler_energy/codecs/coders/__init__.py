"""The words of the axis ``packing``: how numbers are stored.

- `base`: what a word says of itself, and what a lossless coder does
- `numbers`: number formats, to which numbers are rounded; `quantise`: multiples of a step
- `zstd`, `lz4`, `pcodec`: lossless coders; `arrow`: what the first two share
- `bound`: a bound of every value's error
"""
