"""Fixtures of the tests that run tfkit commands on invalid or unusual input."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tfkit
from tfkit.cli import main

ROWS = 80


def table(rows=ROWS, **columns):
    """A number, a category and two classes that depend on the number."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=rows).round(3)
    frame = pd.DataFrame(
        {"a": a, "b": rng.choice(list("xyz"), rows), "y": np.where(a + rng.normal(size=rows) > 0, "u", "v")}
    )
    return frame.assign(**columns)


def write_rows(frame=None, name="rows.csv", **changes):
    """Write rows to predict to a file and return its name."""
    frame = table(20, d="05.01.2024", z=["yes", "no"] * 10) if frame is None else frame
    frame.assign(**changes).to_csv(name, index=False)
    return name


def list_files():
    """Map all files of the working directory to their modification times.

    `runs` itself may be new and empty.
    """
    return {path: path.stat().st_mtime_ns for path in Path().rglob("*") if path != Path("runs")}


@pytest.fixture(autouse=True)
def working_directory(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def assert_rejected(capfd):
    """Run a command that must fail: one line, exit code 2, and no new or changed file."""

    def run(*arguments, message=""):
        files_before = list_files()
        code = main.main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        assert (code, out) == (2, ""), err
        assert list_files() == files_before
        assert err.startswith("tfkit: ")
        assert err.count("\n") == 1, err
        assert message in err
        return err

    return run


@pytest.fixture
def run_command(capfd):
    """Run a command that must succeed; return its last output line and its log."""

    def run(*arguments):
        code = main.main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        assert code == 0, err
        return out.splitlines()[-1], err

    return run


@pytest.fixture
def train(run_command):
    """Train on a table for one epoch, and return the run and its log messages."""

    def run(frame, *settings, epochs=1):
        frame.to_csv("table.csv", index=False)
        settings = settings if any("target=" in setting for setting in settings) else ["target=y", *settings]
        folder, log = run_command("train", "tabular", "data=table.csv", f"epochs={epochs}", "units=16", *settings)
        return tfkit.Run(folder), log

    return run


@pytest.fixture(scope="package")
def model(tmp_path_factory):
    """A trained run to predict with."""
    folder = tmp_path_factory.mktemp("model")
    frame = table(200, d=pd.date_range("2024-01-01", periods=200).strftime("%d.%m.%Y"), z=["yes", "no"] * 100)
    frame.to_csv(folder / "table.csv", index=False)
    return tfkit.train("tabular", data=folder / "table.csv", target="y", epochs=1, units=16, out=folder, quiet=True)
