"""The command line: ``baler-energy STAGE ...``, one subcommand per stage."""

import argparse
import importlib
import io
import sys
from collections.abc import Sequence
from typing import Any

from baler_energy.errors import BalerEnergyError, InputError, UnavailableError, is_out_of_memory
from baler_energy.signals import Terminated, terminable
from baler_energy.warm import handed_over

__all__ = ["STAGES", "main", "stage_modules"]

#: Subcommands in the order of the workflow; each is a module of `baler_energy.stages`, with a different name
#: (`_MODULES`) if Python does not allow its own for a module.
STAGES = (
    "study",
    "advise",
    "hardware",
    "forecast",
    "doctor",
    "calibrate",
    "measure",
    "import",
    "baler-import",
    "baler-export",
    "generate",
    "prepare",
    "train",
    "apply",
    "compress",
    "decompress",
    "evaluate",
    "derive",
    "forward",
    "profile",
    "parts",
    "peer",
    "repeats",
    "collect",
    "figures",
    "tables",
    "report",
    "schema",
)

_MODULES = {"import": "import_files", "baler-import": "baler_import", "baler-export": "baler_export"}

DESCRIPTION = "Measure what it costs, in energy and CO2e, to compress HEP data with the Baler autoencoder."
EPILOG = """\
`baler-energy study` runs a whole study and writes its report; `snakemake --cores all` runs it without the report. Each
of its steps is one of these commands, named in its log.

examples:
  baler-energy doctor                         what can this machine measure?
  baler-energy measure -- python analyse.py   what does my own command cost?
  baler-energy train --help                   the options of one stage, with an example

exit codes: 0 done, 2 the input is wrong, 3 something required is missing here, 1 other errors
"""


def stage_modules() -> tuple[str, ...]:
    """Modules of the stages, in the order of `STAGES`."""
    return tuple(f"baler_energy.stages.{_MODULES.get(name, name)}" for name in STAGES)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one stage and return its exit code; expected errors print one message, without a traceback."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if argv is None and (code := handed_over(arguments)) is not None:
        return code
    # Names may have characters that a terminal lacks. A forked job shares its standard output, which stays as it is.
    if argv is None and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    stage = _wanted(arguments)
    try:
        with terminable():
            args = _parser(arguments).parse_args(arguments)
            args.run(args)
    except BalerEnergyError as error:
        print(f"baler-energy {stage}: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        if error.errno is None:
            raise
        where = f"{error.filename}: " if error.filename else ""
        print(f"baler-energy {stage}: {where}{error.strerror}.{_advice(error)}", file=sys.stderr)
        return 1
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        reason = str(error).partition("\n")[0]
        print(f"baler-energy {stage}: not enough memory ({reason}). Use fewer rows or columns.", file=sys.stderr)
        return UnavailableError.exit_code
    except KeyboardInterrupt:
        print(f"baler-energy {stage}: interrupted; no half-written files were left.", file=sys.stderr)
        return 130
    except Terminated as request:
        print(f"baler-energy {stage}: ended by {request}; no half-written files were left.", file=sys.stderr)
        return request.exit_code
    return 0


def _advice(error: OSError) -> str:
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return " Free some space and run again: finished steps are kept."
    return ""


def _wanted(arguments: Sequence[str]) -> str | None:
    """Return the requested stage."""
    return next((word for word in arguments if not word.startswith("-")), None)


class _Parser(argparse.ArgumentParser):
    """A parser that takes every value as it is, except for text that no file could hold."""

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        if action.nargs not in (argparse.PARSER, argparse.REMAINDER):  # subcommands, and commands of others
            for text in arg_strings:
                if text != text.encode(errors="ignore").decode():
                    raise InputError(f"{text!r}: is not UTF-8, but is written to files that must be. Rename it.")
        if action.option_strings and arg_strings == ["--"]:
            # `--columns=--`: Python before 3.13 takes the value for the end of the options, and drops it.
            value = self._get_value(action, "--")
            self._check_value(action, value)
            return value if action.nargs in (None, argparse.OPTIONAL) else [value]
        return super()._get_values(action, arg_strings)


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Build the parser; only the requested stage is imported, so that startup is fast."""
    parser = _Parser(
        prog="baler-energy",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    from baler_energy import __version__

    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subparsers = parser.add_subparsers(dest="stage", metavar="STAGE", required=True)
    wanted = _wanted(arguments)
    for name, module_name in zip(STAGES, stage_modules(), strict=True):
        if wanted in STAGES and name != wanted:
            continue
        module = importlib.import_module(module_name)
        sub = subparsers.add_parser(
            name,
            help=module.HELP,
            description=module.HELP,
            epilog=module.EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,  # Snakemake's --config is not short for --configfile
        )
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
