"""Codecs: what turns a table into a smaller file and back.

A codec is a transform, which turns rows into what is stored, and a packing, which says how that is stored.

- `engines`: what each implementation of a transform can do, and the work that it makes ready
- `baler`: the autoencoder of Baler in plain PyTorch, and its fast engine; `upstream`: Baler itself
- `pca`: principal components; `identity`: no transform
- `packing`, `coders`: the words that say how numbers are stored
- `container`: the compressed file (``.baler``); `facts`: what it says of itself; `digest`: its checksum
- `streaming`: tables of any size, a block at a time; `fitted`: a codec that is ready for it
- `corrections`: what keeps a bound of the error; `normalisation`, `native`: columns scaled to [0, 1], and back in their
  own number types
"""
