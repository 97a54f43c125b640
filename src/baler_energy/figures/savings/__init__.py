"""How does it get cheaper? The figures of the chapter.

- `engines`: energy, time, memory and error of the engines; `difference`: where the difference comes from
- `packing`: what packing the latents gains
- `models`: costs and errors of networks of several sizes
- `error_joules`: error against the cost of training; `factors`: what each change saves at the same error
- `optimizers`: cost until the loss reaches a target; `runtimes`: what computes the trained network
"""

__all__ = ["TITLE"]

#: Category of the report, which sorts categories by name.
TITLE = "5. How does it get cheaper?"
