"""The command: flags speak to tfkit (where, how much), key=value speaks to the recipe (what)."""

import errno
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

import tfkit
from tfkit.arguments import Parser, newest_run, predicted, recipe_of, run_and_file, settings_of
from tfkit.display import classes_table, scores_table, voice
from tfkit.errors import Interrupted, NotFiniteError, UserError, nearest

# What a person can mend: no space, no right to write.
MENDABLE = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS}


def ls(arguments: list[str]) -> None:
    """list the recipes"""
    Parser(ls, "").read(arguments, 0)
    pages = tfkit.ls()
    width = max((len(name) for name, _ in pages), default=0)
    for name, line in pages:
        print(f"{name:{width}}  {line}")


def show(arguments: list[str]) -> None:
    """show what a recipe does and its settings, or the layers, callbacks, ... or one of them"""
    usage = "RECIPE | layers | callbacks | losses | metrics | schedules | testing | PART"
    words = Parser(show, usage).read(arguments, 1).words
    print(tfkit.show(recipe_of(words)))


def cp(arguments: list[str]) -> None:
    """copy a recipe's page to a file of your own"""
    words = Parser(cp, "RECIPE FILE").read(arguments, 2).words
    if len(words) < 2:
        raise UserError("Say which recipe and where to: tfkit cp RECIPE FILE")
    print(tfkit.copy(*words))


def train(arguments: list[str]) -> None:
    """train a recipe; the last line says where the run lies"""
    parser = Parser(train, "[RECIPE] [key=value ...] [--flags]")
    parser.flag("--out", metavar="DIR", default="runs", help="the run is a new folder in DIR (default: runs)")
    parser.flag("--resume", metavar="RUN", help="go on with this run")
    parser.flag("--anyway", help="resume although versions differ")
    parser.flag("--settings", metavar="FILE", help="a JSON file of settings; key=value goes before it")
    parser.flag("--no-test", help="leave the test split alone")
    parser.flag("--quiet", help="print nothing but where the run lies")
    parser.epilog = "RECIPE is tabular when it is left out; `tfkit show RECIPE` lists its settings."
    known = parser.read(arguments)
    named = [word for word in known.words[:1] if "=" not in word or word.endswith(".py")]
    recipe = named[0] if named else None  # the engine's: that of the run to resume, or tabular
    settings = settings_of(known.words[len(named) :])
    with _keras():
        run = tfkit.train(
            recipe,
            out=known.out,
            resume=known.resume,
            anyway=known.anyway,
            settings=known.settings,
            test=not known.no_test,
            quiet=known.quiet,
            **settings,
        )
    print(run.folder)


def evaluate(arguments: list[str]) -> None:
    """score a run on its test rows, or on a file"""
    parser = Parser(evaluate, "[RUN] [FILE] [--flags]")
    parser.flag("--json", help="print the scores as JSON")
    parser.flag("--recipe", metavar="PAGE", help="the page, where it has a reader or layers of its own")
    known = parser.read(arguments, 2)
    folder, file = run_and_file(known.words)
    with _keras() if file else nullcontext(), voice():  # the scores of the test rows are in the run
        scores = tfkit.Run(folder, recipe=known.recipe).evaluate(source=file)
    print(json.dumps(scores, indent=2, ensure_ascii=False)) if known.json else _print(scores)


def predict(arguments: list[str]) -> None:
    """predict every row of a file; the last line says where the answers lie"""
    parser = Parser(predict, "[RUN] FILE [--flags]")
    parser.flag("--out", metavar="FILE", help="where the answers go (default: NAME.predicted.SUFFIX beside the file)")
    parser.flag("--recipe", metavar="PAGE", help="the page, where it has a reader or layers of its own")
    known = parser.read(arguments, 2)
    folder, file = run_and_file(known.words)
    if file is None:
        raise UserError(f"Say which file to predict. Usage: {parser.usage}")
    out = Path(known.out) if known.out else predicted(Path(file))
    with _keras(), voice():
        tfkit.Run(folder, recipe=known.recipe).predict_file(file, out)
    print(out)


def export(arguments: list[str]) -> None:
    """write a run's model in another format; the last line says where"""
    parser = Parser(export, "[RUN] [--flags]")
    parser.flag("--format", metavar="FORMAT", default="keras", help="keras or savedmodel (default: keras)")
    parser.flag("--out", metavar="PATH", help="where to (default: in the run)")
    known = parser.read(arguments, 1)
    folder = Path(known.words[0]) if known.words else newest_run()
    with _keras():
        path = tfkit.Run(folder).export(known.format, known.out)
    print(path)


VERBS: dict[str, Callable[[list[str]], None]] = {
    verb.__name__: verb for verb in (ls, show, cp, train, evaluate, predict, export)
}


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


@contextmanager
def _keras() -> Iterator[None]:
    """Keras at work: what TensorFlow says while it loads is held back, what is printed meanwhile goes to stderr."""
    with _held_back():
        import keras  # noqa: F401
    with redirect_stdout(sys.stderr):
        yield


@contextmanager
def _held_back() -> Iterator[None]:
    """Hold back what libraries write to stderr past Python; an error lets it out."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException:
            said.seek(0)
            os.write(stderr, said.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def _main(words: list[str]) -> None:
    verb = words[0] if words else "--help"
    if verb in ("-h", "--help", "help"):
        print("tfkit VERB ...   (tfkit VERB --help says more)\n")
        for name, function in VERBS.items():
            print(f"  {name:9} {function.__doc__}")
    elif verb == "--version":
        print(tfkit.__version__)
    elif verb not in VERBS:
        raise UserError(f"Unknown verb {verb!r}.{nearest(verb, VERBS)} Verbs: {', '.join(VERBS)}.")
    else:
        VERBS[verb](words[1:])


def _end(code: int, message: str, words: list[str]) -> int:
    if "--debug" in words:
        traceback.print_exc()
    print(f"tfkit: {message}", file=sys.stderr)
    return code


def _print(scores: dict[str, Any]) -> None:
    """The scores as a table: the model, its interval, and the baselines beside it."""
    from rich.console import Console

    console = Console(markup=False, highlight=False)
    console.width = max(console.width, 100)
    console.print(scores_table(scores), *(["", classes_table(scores)] if scores.get("classes") else []), sep="\n")
