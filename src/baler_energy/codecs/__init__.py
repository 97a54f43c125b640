"""Codecs: what turns a table into a smaller file and back.

- `baler`: the autoencoder of Baler in plain PyTorch, and its fast engine
- `upstream`: Baler itself
- `engines`: what each of these implementations can do, and the work that they make ready
- `container`: the compressed file (``.baler``); `corrections`: what keeps a bound of the error
- `packing`, `coders`: how the numbers in it are stored
- `normalisation`, `native`: values scaled to [0, 1], and back in the columns' own number types
"""
