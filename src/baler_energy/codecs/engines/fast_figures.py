"""What figures say about the engine ``fast``, by topic, and what its functions do; no result depends on it."""

__all__ = ["CALLS", "NOTES"]

NOTES = {
    "meaning": "the autoencoder of reference, optimised for the hardware",
    "window": "includes reading and writing the tables that it compresses and decompresses",
    "content": "also that of the table",
    "difference": "computes its loss within the products, and folds scaling into the outer layers",
    "deviation": "on the first batches",
}
CALLS = {
    "products and activations": (
        ("codecs/baler/model.py", ("encode", "decode", "forward")),
        ("codecs/baler/fast.py", ("differentiate",)),
    ),
    "loss": (("codecs/baler/training.py", ("batch_loss",)),),
}
