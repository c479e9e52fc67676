"""Hundreds of inputs that nobody wants, each of which leads to rows to learn from or to one line."""

import pytest

from tests.hostile import others, pictures, tables
from tests.hostile.judge import answer


def sampled(names, every):
    """All names; those that are not every so many are slow."""
    return [name if not i % every else pytest.param(name, marks=pytest.mark.long) for i, name in enumerate(names)]


@pytest.fixture
def place(tmp_path):
    """A folder with room around it, where what escapes would be seen."""
    path = tmp_path / "one" / "two"
    path.mkdir(parents=True)
    return path


def put(path, content):
    path.write_bytes(content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("name", sampled(tables.CASES, 25))
def test_tables(name, place):
    content, settings = tables.CASES[name]
    answer("tabular", {"table": put(place / "t.csv", content), "target": "y", **settings}, place)


@pytest.mark.parametrize("name", sampled(tables.FILES, 10))
def test_files_of_tables(name, place):
    answer("tabular", {"table": put(place / name, tables.FILES[name]), "target": "y"}, place)


@pytest.mark.parametrize("name", sampled(pictures.CASES, 20))
def test_pictures(name, place):
    answer("image", pictures.CASES[name](place), place)


@pytest.mark.parametrize("name", sampled(others.CASES, 20), ids=str)
def test_series_texts_and_forecasts(name, place):
    file, content, settings = others.CASES[name]
    fixed = {} if name[0] == "forecast" else {"target": "label"}
    answer(name[0], {"table": put(place / file, content), **fixed, **settings}, place)


def test_there_are_enough_of_them():
    cases = [*tables.CASES, *tables.FILES, *pictures.CASES, *others.CASES]
    assert len(cases) >= 200
