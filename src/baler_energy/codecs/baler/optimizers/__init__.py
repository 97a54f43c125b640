"""Optimizers, the axis ``optimizer``: each module makes one, and has its default learning rate.

The default is the best of 3e-4, 1e-3, 3e-3, 1e-2, 3e-2 and 0.1 after 5 epochs (docs/engines.md), except Adam's, which
is Baler's, and SGD's, which is the best after 25.

- `base`: what each module has
- `adam`, `adamw`, `nadam`, `adagrad`, `rmsprop`, `sgd`, `lion`: update each parameter by its own gradients
- `sophia`: also by an estimate of the Hessian's diagonal
- `muon`, `soap`: update whole weight matrices
"""
