"""Tests of the command-line arguments: flags, settings, run and file."""

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tfkit.cli.arguments import Parser, newest_run, predicted, run_and_file, settings_of
from tfkit.errors import UserError


def verb(arguments):
    """A command."""


@pytest.fixture
def newest(monkeypatch):
    """Replace `tfkit.run_dir.latest_run`; return a list whose first item is its result."""
    results = [Path("runs/newest")]
    module = ModuleType("tfkit.run_dir")
    module.latest_run = lambda folder: results[0]
    monkeypatch.setitem(sys.modules, "tfkit.run_dir", module)
    return results


def test_flags_and_positional_arguments_in_any_order():
    parser = Parser(verb, "WORDS")
    parser.flag("--out", metavar="DIR", default="runs")
    parser.flag("--quiet")
    args = parser.read(["a", "--out", "x", "b=1", "--quiet", "c=-2"])
    assert (args.words, args.out, args.quiet, args.debug) == (["a", "b=1", "c=-2"], "x", True, False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ot", "x"], r"Unknown flag --ot\. Did you mean '--out'\? Usage: tfkit verb WORDS"),
        (["--ou=x"], r"Unknown flag --ou=x\. Did you mean '--out'\?"),
        (["--out"], r"argument --out: expected one argument\. Usage: tfkit verb WORDS"),
        (["a", "b"], r"One word too many: 'b'\. Usage: tfkit verb WORDS"),
    ],
)
def test_invalid_argument_message_is_one_line(arguments, message):
    parser = Parser(verb, "WORDS")
    parser.flag("--out", metavar="DIR")
    with pytest.raises(UserError, match=message):
        parser.read(arguments, 1)


def test_settings_are_key_value():
    assert settings_of(["a=1", "target=x=y", "b="]) == {"a": "1", "target": "x=y", "b": ""}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["epochs"], r"Settings are written key=value\. Received: 'epochs'"),
        (["out=x"], r"`out` is a flag, not a setting, and flags begin with --\. Received: 'out=x'"),
        (["a=1", "a=2"], r"`a` is given twice: a=1 and a=2"),
    ],
)
def test_invalid_setting_raises(arguments, message):
    with pytest.raises(UserError, match=message):
        settings_of(arguments)


def test_run_and_file_are_distinguished(tmp_path, newest):
    run = tmp_path / "run"
    run.mkdir()
    (run / "provenance.json").write_text(json.dumps({}))
    assert run_and_file([str(run), "x.csv"]) == (run, "x.csv")
    assert run_and_file([str(run)]) == (run, None)
    assert run_and_file(["x.csv"]) == (Path("runs/newest"), "x.csv")
    assert run_and_file([]) == (Path("runs/newest"), None)
    with pytest.raises(UserError, match="is not the folder of a run: no about"):
        run_and_file([str(tmp_path)])


def test_newest_run_is_printed(newest, capsys):
    newest_run()
    assert capsys.readouterr() == ("", "run: runs/newest\n")
    newest[0] = None
    with pytest.raises(UserError, match="No run lies under runs/"):
        newest_run()


@pytest.mark.parametrize(
    ("file", "out"),
    [
        ("a/sales.csv", "a/sales.predicted.csv"),
        ("sales.csv.gz", "sales.predicted.csv.gz"),
        ("sales.v2.parquet", "sales.v2.predicted.parquet"),
        ("sales", "sales.predicted"),
        ("photos.zip", "photos.predicted.csv"),
        ("photos/1.png", "photos/1.predicted.csv"),
    ],
)
def test_default_output_path(file, out):
    assert predicted(Path(file)) == Path(out)
