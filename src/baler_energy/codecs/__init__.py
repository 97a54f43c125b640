"""Codecs: what turns a table into a smaller file and back.

- `baler`: the autoencoder of Baler in plain PyTorch
- `upstream`: Baler itself
"""
