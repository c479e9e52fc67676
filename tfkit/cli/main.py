"""The `tfkit` command: dispatch, exit codes and error messages."""

import atexit
import errno
import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import tfkit
from tfkit.cli.commands import VERBS
from tfkit.errors import Interrupted, NotFiniteError, UserError, did_you_mean

# What a person can mend: no space, no right to write.
MENDABLE = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS}


def command() -> NoReturn:
    """`main` as a process of its own, which leaves without freeing every object of TensorFlow: that takes a second."""
    ended = [1]

    def leave() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended[0])

    atexit.register(leave)  # first, so that it comes last
    ended[0] = main()
    sys.exit(ended[0])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 done, 2 yours to mend, 3 not finite, 130 interrupted, 1 our bug."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up chatter
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    sys.path.append(os.getcwd())  # a page may be named as a dotted module, from the folder where one stands
    try:
        _main(words)
        sys.stdout.flush()
        return 0
    except UserError as error:
        return _end(2, str(error), words)
    except NotFiniteError as error:
        return _end(3, str(error), words)
    except Interrupted as error:
        return _end(128 + error.signal, str(error), words)
    except KeyboardInterrupt:
        return _end(130, "interrupted", words)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody listens: let Python's last flush pass
        return 141
    except OSError as error:
        if error.errno not in MENDABLE:
            raise
        return _end(2, f"{error.strerror}: {error.filename}" if error.filename else str(error), words)


def _main(words: list[str]) -> None:
    verb = words[0] if words else "--help"
    if verb in ("-h", "--help", "help"):
        print("tfkit VERB ...   (tfkit VERB --help: its arguments)\n")
        for name, function in VERBS.items():
            print(f"  {name:9} {function.__doc__}")
    elif verb == "--version":
        print(tfkit.__version__)
    elif verb not in VERBS:
        raise UserError(f"Unknown verb {verb!r}.{did_you_mean(verb, VERBS)} Verbs: {', '.join(VERBS)}.")
    else:
        VERBS[verb](words[1:])


def _end(code: int, message: str, words: list[str]) -> int:
    if "--debug" in words:
        traceback.print_exc()
    print(f"tfkit: {message}", file=sys.stderr)
    return code
