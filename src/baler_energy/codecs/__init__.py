"""Codecs: each turns a table into a smaller file and back.

A codec is a transform, which turns rows into the stored numbers, and a packing, which defines how they are stored.

- `engines`: what each implementation of a transform supports, and the work that it prepares
- `baler`: Baler's autoencoder in plain PyTorch, and its fast engine; `upstream`: Baler itself
- `pca`: principal components; `components`: how they are found; `identity`: no transform
- `packing`, `coders`: the words that define how numbers are stored; `words`: their text, and that of prunings
- `precisions`: the axis ``precision``
- `container`: the compressed file (``.baler``); `facts`: its metadata; `digest`: its checksum
- `streaming`: tables of any size, a block at a time; `fitted`: the interface of a codec that is ready to use
- `tensors`: files of tensors, which PyTorch writes
- `corrections`: keep every value's error within a bound; `normalisation`: scales columns to [0, 1]; `native`: rounds
  values to their columns' number types
"""
