"""Tests of the command-line arguments: flags, settings, run and file."""

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tfkit.cli.arguments import (
    CommandParser,
    default_output_path,
    find_latest_run,
    parse_settings,
    split_run_and_file,
)
from tfkit.errors import UserError


def command(arguments):
    """A command."""


@pytest.fixture
def latest(monkeypatch):
    """Replace `tfkit.run_dir.latest_run`; return a list whose first item is its result."""
    results = [Path("runs/latest")]
    module = ModuleType("tfkit.run_dir")
    module.latest_run = lambda folder: results[0]
    monkeypatch.setitem(sys.modules, "tfkit.run_dir", module)
    return results


def test_flags_and_positional_arguments_in_any_order():
    parser = CommandParser(command, "ARGUMENTS")
    parser.flag("--out", metavar="DIR", default="runs")
    parser.flag("--quiet")
    options = parser.parse(["a", "--out", "x", "b=1", "--quiet", "c=-2"])
    assert (options.positional, options.out, options.quiet, options.debug) == (["a", "b=1", "c=-2"], "x", True, False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ot", "x"], r"Unknown flag --ot\. Did you mean '--out'\? Usage: tfkit command ARGUMENTS"),
        (["--ou=x"], r"Unknown flag --ou=x\. Did you mean '--out'\?"),
        (["--out"], r"argument --out: expected one argument\. Usage: tfkit command ARGUMENTS"),
        (["a", "b"], r"Unexpected argument 'b'\. Usage: tfkit command ARGUMENTS"),
    ],
)
def test_invalid_argument_message_is_one_line(arguments, message):
    parser = CommandParser(command, "ARGUMENTS")
    parser.flag("--out", metavar="DIR")
    with pytest.raises(UserError, match=message):
        parser.parse(arguments, 1)


def test_settings_are_key_value():
    assert parse_settings(["a=1", "target=x=y", "b="]) == {"a": "1", "target": "x=y", "b": ""}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["epochs"], r"A setting must have the form key=value\. Received: 'epochs'"),
        (["out=x"], r"`out` is a flag, not a setting; flags start with --\. Received: 'out=x'"),
        (["a=1", "a=2"], r"`a` must be given once\. Received: a=1 and a=2"),
    ],
)
def test_invalid_setting_raises(arguments, message):
    with pytest.raises(UserError, match=message):
        parse_settings(arguments)


def test_run_and_file_are_distinguished(tmp_path, latest):
    run = tmp_path / "run"
    run.mkdir()
    (run / "provenance.json").write_text(json.dumps({}))
    assert split_run_and_file([str(run), "x.csv"]) == (run, "x.csv")
    assert split_run_and_file([str(run)]) == (run, None)
    assert split_run_and_file(["x.csv"]) == (Path("runs/latest"), "x.csv")
    assert split_run_and_file([]) == (Path("runs/latest"), None)
    with pytest.raises(UserError, match=r"Received: .*, which has no provenance"):
        split_run_and_file([str(tmp_path)])


def test_latest_run_is_printed(latest, capsys):
    find_latest_run()
    assert capsys.readouterr() == ("", "run: runs/latest\n")
    latest[0] = None
    with pytest.raises(UserError, match="There is no run in runs/"):
        find_latest_run()


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
    assert default_output_path(Path(file)) == Path(out)
