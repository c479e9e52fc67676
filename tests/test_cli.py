import errno
import json
import os
import subprocess
import sys
from contextlib import nullcontext, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

import tfkit
from tfkit import cli
from tfkit.errors import Interrupted, NotFiniteError, UserError


@pytest.fixture
def asked(monkeypatch):
    """What the works are asked for, without the works: a list of (verb, words, flags)."""
    calls = []

    class Run:
        def __init__(self, folder, recipe=None):
            calls.append(("run", folder, recipe))

        def evaluate(self, source):
            calls.append(("evaluate", source))
            return SCORES

        def predict_file(self, file, out, escape_formulas):
            print("a page may print")
            calls.append(("predict", file, out, *(["safe"] if escape_formulas else [])))

        def export(self, format, out):
            calls.append(("export", format, out))
            return Path("model.keras")

    def train(recipe, **flags):
        print("a page may print")
        calls.append(("train", recipe, flags))
        return SimpleNamespace(folder=Path("runs/new"))

    monkeypatch.setattr(cli, "held_back", nullcontext)
    monkeypatch.setitem(sys.modules, "keras", SimpleNamespace())
    monkeypatch.setitem(vars(tfkit), "train", train)
    monkeypatch.setitem(vars(tfkit), "Run", Run)
    return calls


SCORES = {
    "task": "binary",
    "test": {"accuracy": 0.8712, "log_loss": 123.4},
    "intervals": {"accuracy": [0.86, 0.88]},
    "classes": {"[b]yes": {"precision": 0.5, "support": 1234}},
    "baselines": {"constant": {"accuracy": 0.75}},
}


def run(*words):
    return cli.main(list(words))


def test_train_prints_the_folder_and_nothing_else(asked, capsys):
    assert run("train", "tabular", "epochs=5", "--out", "x", "target=a b", "--quiet") == 0
    out, err = capsys.readouterr()
    assert out == "runs/new\n"
    assert err == "a page may print\n"
    flags = {"out": "x", "resume": None, "anyway": False, "settings": None, "test": True, "quiet": True}
    flags |= {"report": True, "tensorboard": False, "device": "auto", "until": None, "checkpoint_minutes": None}
    assert asked == [("train", "tabular", flags | {"epochs": "5", "target": "a b"})]


def test_train_may_resume_without_a_recipe(asked):
    assert run("train", "--resume", "runs/x", "--anyway", "--no-test") == 0
    [(_, recipe, flags)] = asked
    assert (recipe, flags["resume"], flags["anyway"], flags["test"]) == (None, "runs/x", True, False)


def test_train_without_a_recipe_leaves_it_to_the_engine(asked):
    assert run("train", "epochs=5") == 0
    [(_, recipe, flags)] = asked
    assert (recipe, flags["epochs"]) == (None, "5")


def test_show_without_a_recipe_says_which_there_are(capsys):
    assert run("show") == 2
    assert capsys.readouterr().err.startswith("tfkit: Say which recipe: ")


def test_a_page_may_have_an_equals_sign_in_its_name(asked):
    assert run("train", "a=b.py", "epochs=5") == 0
    assert asked[0][1] == "a=b.py"


def test_evaluate_prints_a_table_or_json(asked, capsys, tmp_path):
    (tmp_path / "about.json").write_text("{}")
    assert run("evaluate", str(tmp_path), "--json", "--recipe", "mine.py") == 0
    assert json.loads(capsys.readouterr().out) == SCORES
    assert asked == [("run", tmp_path, "mine.py"), ("evaluate", None)]
    assert run("evaluate", str(tmp_path), "x.csv") == 0
    assert asked[-1] == ("evaluate", "x.csv")
    table = capsys.readouterr().out
    for part in ("accuracy", "0.8712", "0.8600 to 0.8800", "constant", "0.7500", "123.4", "[b]yes", "1,234"):
        assert part in table


def test_predict_prints_where_the_answers_lie(asked, capsys, tmp_path):
    assert run("predict", str(tmp_path), "sales.csv.gz") == 0
    assert asked[-1] == ("predict", "sales.csv.gz", Path("sales.predicted.csv.gz"))
    assert capsys.readouterr() == ("sales.predicted.csv.gz\n", "a page may print\n")
    assert run("predict", str(tmp_path), "sales.csv", "--out", "x.parquet") == 0
    assert asked[-1] == ("predict", "sales.csv", Path("x.parquet"))
    assert run("predict", str(tmp_path), "sales.csv", "--safe-csv") == 0
    assert asked[-1][-1] == "safe"


def test_predict_needs_a_file(asked, capsys, tmp_path):
    (tmp_path / "about.json").write_text("{}")
    assert run("predict", str(tmp_path)) == 2
    assert capsys.readouterr().err == "tfkit: Say which file to predict. Usage: tfkit predict [RUN] FILE [--flags]\n"


def test_export_prints_where_the_file_lies(asked, capsys, tmp_path):
    assert run("export", str(tmp_path), "--format", "savedmodel", "--out", "x") == 0
    assert asked == [("run", tmp_path, None), ("export", "savedmodel", "x")]
    assert capsys.readouterr().out == "model.keras\n"


def test_ls_show_and_cp(capsys, page, tmp_path):
    assert run("ls") == 0
    assert run("show", str(page)) == 0
    assert "hidden layers" in capsys.readouterr().out
    assert run("cp", str(page), str(tmp_path / "churn.py")) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'churn.py'}\n"
    assert run("cp", str(page)) == 2
    assert "tfkit cp RECIPE FILE" in capsys.readouterr().err


def test_help_lists_the_verbs(capsys):
    assert run() == run("--help") == 0
    out = capsys.readouterr().out
    assert all(f"  {verb} " in out for verb in cli.VERBS)
    assert run("--version") == 0
    assert capsys.readouterr().out == f"{tfkit.__version__}\n"


@pytest.mark.parametrize("verb", sorted(cli.VERBS))
def test_every_verb_has_help(verb, capsys):
    with pytest.raises(SystemExit) as end:
        run(verb, "--help")
    assert end.value.code == 0
    assert f"usage: tfkit {verb}" in capsys.readouterr().out


def test_an_unknown_verb_gets_the_nearest(capsys):
    assert run("trian") == 2
    assert capsys.readouterr().err.startswith("tfkit: Unknown verb 'trian'. Did you mean 'train'? Verbs: ls, show, ")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UserError("mend it"), 2, "tfkit: mend it\n"),
        (NotFiniteError("the loss is nan"), 3, "tfkit: the loss is nan\n"),
        (Interrupted("saved", 15), 143, "tfkit: saved\n"),
        (Interrupted("saved", 2), 130, "tfkit: saved\n"),
        (KeyboardInterrupt(), 130, "tfkit: interrupted\n"),
        (OSError(errno.ENOSPC, "No space left on device", "runs/x"), 2, "tfkit: No space left on device: runs/x\n"),
        (PermissionError(errno.EACCES, "Permission denied", "runs"), 2, "tfkit: Permission denied: runs\n"),
    ],
)
def test_every_end_has_its_exit_code(asked, monkeypatch, capsys, error, code, message):
    def train(recipe, **flags):
        raise error

    monkeypatch.setitem(vars(tfkit), "train", train)
    assert run("train", "tabular") == code
    assert capsys.readouterr() == ("", message)
    assert run("train", "tabular", "--debug") == code
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("error", [TypeError("ours"), FileNotFoundError(errno.ENOENT, "none", "x")])
def test_a_bug_of_ours_keeps_its_traceback(asked, monkeypatch, error):
    def train(recipe, **flags):
        raise error

    monkeypatch.setitem(vars(tfkit), "train", train)
    with pytest.raises(type(error)):
        run("train", "tabular")


def test_what_is_written_past_python_is_held_back_unless_it_fails(capfd):
    with cli.held_back():
        os.write(2, b"chatter")
    assert capfd.readouterr().err == ""
    with suppress(ImportError), cli.held_back():
        os.write(2, b"what went wrong")
        raise ImportError
    assert capfd.readouterr().err == "what went wrong"


def test_a_reader_that_leaves_is_no_error():
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "tfkit", "--help"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize(("ends", "code", "said"), [("return 3", 3, ""), ("1 / 0", 1, "ZeroDivisionError")])
def test_the_command_leaves_at_once_but_nothing_undone(tmp_path, ends, code, said):
    """Threads end, what was registered for the end is done and all that was printed arrives."""
    program = tmp_path / "program.py"
    program.write_text(
        "import atexit, threading, time\n"
        "from tfkit import cli\n"
        "def work():\n"
        "    time.sleep(0.3)\n"
        "    print('thread')\n"
        "def main():\n"
        "    atexit.register(print, 'registered')\n"
        "    threading.Thread(target=work).start()\n"
        f"    {ends}\n"
        "cli.main = main\n"
        "cli.command()\n"
    )
    done = subprocess.run([sys.executable, program], capture_output=True, text=True)
    assert done.returncode == code
    assert done.stdout.split() == ["thread", "registered"]
    assert said in done.stderr
