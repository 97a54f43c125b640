"""The program that runs upstream Baler, in Baler's environment: it imports nothing of this package.

    python -P runner.py --describe    versions as JSON
    python -P runner.py THREADS       imports Baler, then runs one mode for each line of standard input

Standard output has one line of JSON after the imports (versions), then one for each line of input. What Baler prints
goes to standard error. This program ends as soon as standard input is closed, so it never outlives the program that
started it.
"""

import cProfile
import importlib
import importlib.metadata
import json
import os
import platform
import queue
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, TextIO


def describe() -> dict[str, Any]:
    """Give the version of the installed Baler, the commit that `make upstream` recorded, and what Baler runs on."""
    noted = Path(sys.prefix, "baler-commit")
    commit = noted.read_text(encoding="ascii").strip() if noted.is_file() else None
    packages = {name: importlib.metadata.version(name) for name in ("torch", "numpy")}
    return {
        "version": importlib.metadata.version("baler"),
        "commit": commit,
        "python": platform.python_version(),
        **packages,
    }


def serve(threads: int) -> None:
    """Import Baler, report versions, and run a mode for each request until standard input is closed."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    # As `python -m baler` does: Baler's projects are in the working directory.
    sys.path.insert(0, os.getcwd())  # noqa: PTH109
    torch, baler = importlib.import_module("torch"), importlib.import_module("baler.baler")
    torch.set_num_threads(threads)
    # Only torch's own version names the build (CPU or CUDA).
    _reply(replies, describe() | {"torch": str(torch.__version__), "cuda": torch.cuda.is_available()})
    while True:
        _reply(replies, _perform(json.loads(requests.get()), torch, baler))


def _listen(requests: "queue.SimpleQueue[str]") -> None:
    for line in sys.stdin:
        requests.put(line)
    os._exit(0)


def _reply(replies: TextIO, value: dict[str, Any]) -> None:
    replies.write(json.dumps(value) + "\n")
    replies.flush()


def _perform(request: dict[str, Any], torch: Any, baler: Any) -> dict[str, Any]:
    """Run a mode as Baler's command line does after its imports; only the seed differs.

    Baler makes its network before it sets its own seed, so the network's starting parameters depend on this seed.
    """
    if request["mode"] == "synchronise":
        torch.cuda.synchronize()
        return {}
    sys.argv = ["baler", "--project", *request["project"], "--mode", request["mode"]]
    torch.manual_seed(request["seed"])
    profiler = cProfile.Profile() if request["profile"] else None
    try:
        if profiler:
            profiler.runcall(baler.main)
        else:
            baler.main()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}
    finally:
        sys.stdout.flush()
    peak_b = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
    return {"gpu_memory_peak_b": peak_b} | ({"functions": _functions(profiler)} if profiler else {})


def _functions(profiler: cProfile.Profile) -> list[Any]:
    """Give a profile as plain lists for `profilers.cprofile.added_up`: place, numbers, callees."""
    return [
        [_place(entry.code), _numbers(entry), [[_place(call.code), _numbers(call)] for call in entry.calls or ()]]
        for entry in profiler.getstats()
    ]


def _numbers(entry: Any) -> list[Any]:
    return [entry.callcount, entry.reccallcount, entry.inlinetime, entry.totaltime]


def _place(code: Any) -> list[Any]:
    """Give file, line and name of a function; the file's path is relative to its import folder."""
    file, line, name = cProfile.label(code)
    roots = [root for root in sorted(sys.path, key=len, reverse=True) if root and file.startswith(root + os.sep)]
    return [file.removeprefix(roots[0] + os.sep) if roots else file, line, name]


if __name__ == "__main__":
    if sys.argv[1:] == ["--describe"]:
        print(json.dumps(describe()))
    else:
        serve(int(sys.argv[1]))
