"""Where does it go? The figures of the chapter.

- `components`: energy by component
- `parts`: layers and data movements in measured loops, as bars and from the whole down to operators
- `roofline`: operations and layers against the machine's peaks
- `calls`: the call tree of training
- `functions`, `operators`: shares of time from profilers; `shares`: draws both; `lines`: lines of code
- `parallel`: speed-up and energy against threads
- `gpu_timeline`: one training on a GPU over time
- `icicle`: a whole and its parts below it
"""

__all__ = ["TITLE"]

#: Category of the report, which sorts categories by name.
TITLE = "2. Where does it go?"
