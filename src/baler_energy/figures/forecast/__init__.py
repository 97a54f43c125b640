"""What will mine cost? The figures of the chapter.

- `predicted`: costs that the fitted law predicts, against those of the runs
- `cost_metrics`: how well single numbers, such as FLOPs or CPU time, predict the cost
"""

__all__ = ["TITLE"]

#: Category of the report, which sorts categories by name.
TITLE = "6. What will mine cost?"
