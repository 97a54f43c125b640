"""Where does it go? The figures of the chapter.

- `components`: energy by component
- `parts`: layers and movements of data in measured loops, as bars and from the whole down to operators
- `roofline`: operations and layers against the machine's peaks
- `calls`: the call tree of training
- `functions`, `operators`: shares of time as profilers saw them; `shares`: draws both; `lines`: lines of code
- `parallel`: speed-up and energy against threads
- `gpu_timeline`: one training on a GPU over time
- `icicle`: a whole above its parts
"""

__all__ = ["TITLE"]

#: Category of the report, which sorts them.
TITLE = "2. Where does it go?"
