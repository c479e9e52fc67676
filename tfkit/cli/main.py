"""The command `tfkit`: choice of the command, exit codes and error messages."""

import atexit
import errno
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

import tfkit
from tfkit.cli.recipe_commands import cp, ls, show, train, tune, verify
from tfkit.cli.run_commands import compare, evaluate, export, predict, report
from tfkit.datasets.keras_settings import BACKEND
from tfkit.errors import Interrupted, NotFiniteError, UserError, did_you_mean

COMMANDS: dict[str, Callable[[list[str]], None]] = {
    command.__name__: command
    for command in (ls, show, cp, train, tune, evaluate, predict, export, report, compare, verify)
}

# Errors of the operating system that the user can fix: no space left, no permission.
USER_ERROR_NUMBERS = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS}


def command() -> NoReturn:
    """Run `main` as a process, and exit without freeing the objects of TensorFlow, which takes a second."""
    exit_code = 1
    _open_standard_streams()

    def leave() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(exit_code)

    atexit.register(leave)  # registered first, so that it runs last
    exit_code = main()
    sys.exit(exit_code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0: success; 1: internal error; 2: error that the user can fix; 3: the loss became NaN or infinite; 130 or 143:
    interrupted by a signal; 141: the output pipe was closed.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # no start-up messages of TensorFlow
    _set_backend()
    sys.path.append(os.getcwd())  # a recipe can be named as a dotted module relative to the current folder
    try:
        _run_command(arguments)
        sys.stdout.flush()
        return 0
    except UserError as error:
        return _print_error(2, str(error), arguments)
    except NotFiniteError as error:
        return _print_error(3, str(error), arguments)
    except Interrupted as error:
        return _print_error(128 + error.signal, str(error), arguments)
    except KeyboardInterrupt:
        return _print_error(130, "interrupted", arguments)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the last flush of Python succeeds
        return 141
    except OSError as error:
        if error.errno not in USER_ERROR_NUMBERS:
            raise
        return _print_error(2, f"{error.strerror}: {error.filename}" if error.filename else str(error), arguments)


def _open_standard_streams() -> None:
    """Connect a closed stream to the null device, as by `tfkit ls >&-`; a file would otherwise get its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def _set_backend() -> None:
    """Use Keras on TensorFlow, and report another setting."""
    backend = os.environ.get("KERAS_BACKEND") or BACKEND
    if backend != BACKEND and "keras" not in sys.modules:
        print(f"tfkit: KERAS_BACKEND={backend} is ignored; tfkit uses Keras on TensorFlow", file=sys.stderr)
    os.environ["KERAS_BACKEND"] = BACKEND


def _run_command(arguments: list[str]) -> None:
    """Run the command that the first argument names, or print the help or the version."""
    name = arguments[0] if arguments else "--help"
    if name in ("-h", "--help", "help"):
        print("usage: tfkit COMMAND ...   (`tfkit COMMAND --help` shows its arguments)\n")
        for command_name, function in COMMANDS.items():
            print(f"  {command_name:9} {function.__doc__}")
    elif name == "--version":
        print(tfkit.__version__)
    elif name not in COMMANDS:
        raise UserError(f"Unknown command {name!r}.{did_you_mean(name, COMMANDS)} Commands: {', '.join(COMMANDS)}.")
    else:
        COMMANDS[name](arguments[1:])


def _print_error(exit_code: int, message: str, arguments: list[str]) -> int:
    """Print an error message, with `--debug` after its traceback, and return the exit code."""
    if "--debug" in arguments:
        traceback.print_exc()
    print(f"tfkit: {message}", file=sys.stderr)
    return exit_code
