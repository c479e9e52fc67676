"""Tests of the command line: output, exit codes, help."""

import errno
import inspect
import json
import os
import subprocess
import sys
from contextlib import nullcontext, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

import tfkit
from tfkit import api
from tfkit.cli import keras_loading, main
from tfkit.config import FLAGS
from tfkit.errors import Interrupted, NotFiniteError, UserError


@pytest.fixture
def calls(monkeypatch):
    """Replace `train`, `tune` and `Run` by stubs; return the list of recorded calls."""
    recorded = []

    class Run:
        def __init__(self, folder, recipe=None):
            recorded.append(("run", folder, recipe))

        def evaluate(self, source):
            recorded.append(("evaluate", source))
            return SCORES

        def predict_file(self, file, out, escape_formulas, threshold, false_negative_cost):
            print("printed by a recipe")
            recorded.append(
                ("predict", file, out, *(["escaped"] if escape_formulas else []), *filter(None, [threshold]))
            )

        def export(self, format, out):
            recorded.append(("export", format, out))
            return Path("model.keras")

    def train(recipe, **flags):
        print("printed by a recipe")
        recorded.append(("train", recipe, flags))
        return SimpleNamespace(folder=Path("runs/new"))

    def tune(recipe, **flags):
        recorded.append(("tune", recipe, flags))
        return SimpleNamespace(folder=Path("runs/winner"))

    monkeypatch.setattr(keras_loading, "suppress_native_stderr", nullcontext)
    monkeypatch.setitem(sys.modules, "keras", SimpleNamespace())
    monkeypatch.setitem(vars(tfkit), "train", train)
    monkeypatch.setitem(vars(tfkit), "tune", tune)
    monkeypatch.setitem(vars(tfkit), "Run", Run)
    return recorded


SCORES = {
    "task": "classification",
    "test": {"accuracy": 0.8712, "log_loss": 123.4},
    "intervals": {"accuracy": [0.86, 0.88]},
    "classes": {"[b]yes": {"precision": 0.5, "support": 1234}},
    "baselines": {"dummy": {"accuracy": 0.75}},
}


def run(*arguments):
    return main.main(list(arguments))


def test_train_prints_only_the_run_folder(calls, capsys):
    assert run("train", "tabular", "epochs=5", "--out", "x", "target=a b", "--quiet") == 0
    out, err = capsys.readouterr()
    assert out == "runs/new\n"
    assert err == "printed by a recipe\n"
    flags = {"out": "x", "resume": None, "ignore_versions": False, "config": None, "skip_test": False, "quiet": True}
    flags |= {
        "report": True,
        "tensorboard": False,
        "device": "auto",
        "stop_after_epoch": None,
        "checkpoint_minutes": None,
    }
    assert calls == [("train", "tabular", flags | {"epochs": "5", "target": "a b"})]


def test_train_resumes_without_a_recipe(calls):
    assert run("train", "--resume", "runs/x", "--ignore-versions", "--skip-test") == 0
    [(_, recipe, flags)] = calls
    assert (recipe, flags["resume"], flags["ignore_versions"], flags["skip_test"]) == (None, "runs/x", True, True)


def test_train_without_a_recipe_passes_none(calls):
    assert run("train", "epochs=5") == 0
    [(_, recipe, flags)] = calls
    assert (recipe, flags["epochs"]) == (None, "5")


def test_tune_passes_flags_and_fixed_settings(calls, capsys):
    assert run("tune", "text", "units=8", "--search", "l2=0..1", "--search", "epochs=3,5", "--workers", "2") == 0
    assert capsys.readouterr().out == "runs/winner\n"
    [(_, recipe, flags)] = calls
    assert (recipe, flags["search"], flags["workers"], flags["units"]) == ("text", ["l2=0..1", "epochs=3,5"], 2, "8")


@pytest.mark.parametrize("name", ["train", "tune"])
def test_flags_are_the_keywords_of_the_function(calls, name):
    """Every keyword of the Python function is a flag of the command with the same name and default."""
    parameters = inspect.signature(getattr(api, name)).parameters.values()
    defaults = {item.name: item.default for item in parameters if item.kind is item.KEYWORD_ONLY}
    defaults |= {"report": True} if name == "train" else {"search": []}  # the tests disable reports
    assert run(name) == 0
    assert calls[-1][2] == defaults
    assert set(defaults) <= FLAGS


def test_show_without_a_recipe_lists_recipes(capsys):
    assert run("show") == 2
    assert capsys.readouterr().err.startswith("tfkit: A recipe must be given: ")


def test_recipe_file_name_may_contain_an_equals_sign(calls, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a=b.py").write_text("")
    assert run("train", "a=b.py", "epochs=5") == 0
    assert calls[0][1] == "a=b.py"


def test_evaluate_prints_a_table_or_json(calls, capsys, tmp_path):
    (tmp_path / "provenance.json").write_text("{}")
    assert run("evaluate", str(tmp_path), "--json", "--recipe", "mine.py") == 0
    assert json.loads(capsys.readouterr().out) == SCORES
    assert calls == [("run", tmp_path, "mine.py"), ("evaluate", None)]
    assert run("evaluate", str(tmp_path), "x.csv") == 0
    assert calls[-1] == ("evaluate", "x.csv")
    table = capsys.readouterr().out
    for text in ("accuracy", "0.8712", "0.8600 to 0.8800", "dummy", "0.7500", "123.4", "[b]yes", "1,234"):
        assert text in table


def test_predict_prints_the_output_path(calls, capsys, tmp_path):
    assert run("predict", str(tmp_path), "sales.csv.gz") == 0
    assert calls[-1] == ("predict", "sales.csv.gz", Path("sales.predicted.csv.gz"))
    assert capsys.readouterr() == ("sales.predicted.csv.gz\n", "printed by a recipe\n")
    assert run("predict", str(tmp_path), "sales.csv", "--out", "x.parquet") == 0
    assert calls[-1] == ("predict", "sales.csv", Path("x.parquet"))
    assert run("predict", str(tmp_path), "sales.csv", "--escape-formulas") == 0
    assert calls[-1][-1] == "escaped"


def test_predict_needs_a_file(calls, capsys, tmp_path):
    (tmp_path / "provenance.json").write_text("{}")
    assert run("predict", str(tmp_path)) == 2
    assert (
        capsys.readouterr().err == "tfkit: A file to predict must be given. Usage: tfkit predict [RUN] FILE [--flags]\n"
    )


def test_export_prints_the_output_path(calls, capsys, tmp_path):
    assert run("export", str(tmp_path), "--format", "savedmodel", "--out", "x") == 0
    assert calls == [("run", tmp_path, None), ("export", "savedmodel", "x")]
    assert capsys.readouterr().out == "model.keras\n"


def test_ls_show_and_cp(capsys, recipe_file, tmp_path):
    assert run("ls") == 0
    assert run("show", str(recipe_file)) == 0
    assert "hidden layers" in capsys.readouterr().out
    assert run("cp", str(recipe_file), str(tmp_path / "churn.py")) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'churn.py'}\n"
    assert run("cp", str(recipe_file)) == 2
    assert "tfkit cp RECIPE FILE" in capsys.readouterr().err


def test_help_lists_the_commands(capsys):
    assert run() == run("--help") == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in main.COMMANDS)
    assert run("--version") == 0
    assert capsys.readouterr().out == f"{tfkit.__version__}\n"


@pytest.mark.parametrize("name", sorted(main.COMMANDS))
def test_every_command_has_help(name, capsys):
    with pytest.raises(SystemExit) as raised:
        run(name, "--help")
    assert raised.value.code == 0
    assert f"usage: tfkit {name}" in capsys.readouterr().out


def test_unknown_command_suggests_the_nearest(capsys):
    assert run("trian") == 2
    assert capsys.readouterr().err.startswith(
        "tfkit: Unknown command 'trian'. Did you mean 'train'? Commands: ls, show, "
    )


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UserError("fix it"), 2, "tfkit: fix it\n"),
        (NotFiniteError("the loss is nan"), 3, "tfkit: the loss is nan\n"),
        (Interrupted("saved", 15), 143, "tfkit: saved\n"),
        (Interrupted("saved", 2), 130, "tfkit: saved\n"),
        (KeyboardInterrupt(), 130, "tfkit: interrupted\n"),
        (OSError(errno.ENOSPC, "No space left on device", "runs/x"), 2, "tfkit: No space left on device: runs/x\n"),
        (PermissionError(errno.EACCES, "Permission denied", "runs"), 2, "tfkit: Permission denied: runs\n"),
    ],
)
def test_exit_codes(calls, monkeypatch, capsys, error, code, message):
    def train(recipe, **flags):
        raise error

    monkeypatch.setitem(vars(tfkit), "train", train)
    assert run("train", "tabular") == code
    assert capsys.readouterr() == ("", message)
    assert run("train", "tabular", "--debug") == code
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("error", [TypeError("ours"), FileNotFoundError(errno.ENOENT, "none", "x")])
def test_internal_error_keeps_its_traceback(calls, monkeypatch, error):
    def train(recipe, **flags):
        raise error

    monkeypatch.setitem(vars(tfkit), "train", train)
    with pytest.raises(type(error)):
        run("train", "tabular")


def test_native_stderr_is_suppressed_unless_an_error_occurs(capfd):
    with keras_loading.suppress_native_stderr():
        os.write(2, b"native log output")
    assert capfd.readouterr().err == ""
    with suppress(ImportError), keras_loading.suppress_native_stderr():
        os.write(2, b"native error output")
        raise ImportError
    assert capfd.readouterr().err == "native error output"


def test_closed_stdout_pipe_has_no_traceback():
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "tfkit", "--help"]
    process = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (process.returncode, process.stderr) == (141, "")


@pytest.mark.parametrize(
    ("last_line", "code", "expected_stderr"), [("return 3", 3, ""), ("1 / 0", 1, "ZeroDivisionError")]
)
def test_command_waits_for_threads_and_exit_handlers(tmp_path, last_line, code, expected_stderr):
    """Threads finish, atexit handlers run and all output is flushed."""
    program = tmp_path / "program.py"
    program.write_text(
        "import atexit, threading, time\n"
        "from tfkit.cli import main as cli\n"
        "def work():\n"
        "    time.sleep(0.3)\n"
        "    print('thread')\n"
        "def main():\n"
        "    atexit.register(print, 'registered')\n"
        "    threading.Thread(target=work).start()\n"
        f"    {last_line}\n"
        "cli.main = main\n"
        "cli.command()\n"
    )
    process = subprocess.run([sys.executable, program], capture_output=True, text=True)
    assert process.returncode == code
    assert process.stdout.split() == ["thread", "registered"]
    assert expected_stderr in process.stderr
