"""The wheel, built through the sdist and installed away from the checkout, has the pages and the samples."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

import tfkit

ROOT = Path(tfkit.__file__).resolve().parents[1]


def run(*words, cwd):
    return subprocess.run([str(word) for word in words], cwd=cwd, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a new `.venv` in which the wheel of tfkit is installed; the other packages are lent to it."""
    home = tmp_path_factory.mktemp("home")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", home / "dist", ROOT, cwd=home)
    venv.create(home / ".venv", with_pip=False)
    [wheel] = (home / "dist").glob("*.whl")
    run(sys.executable, "-m", "pip", "--python", home / ".venv", "install", "--quiet", "--no-deps", wheel, cwd=home)
    [site] = (home / ".venv").glob("lib/python*/site-packages")
    (site / "lent.pth").write_text(sysconfig.get_path("purelib"))
    return home


@pytest.mark.slow
def test_the_wheel_is_used_and_not_the_checkout(home):
    file = run(home / ".venv/bin/python", "-c", "import tfkit; print(tfkit.__file__, tfkit.CHECKOUT)", cwd=home)
    assert file.startswith(str(home))
    assert file.split()[1] == "None"


@pytest.mark.slow
def test_the_command_finds_every_page(home):
    listing = run(home / ".venv/bin/tfkit", "ls", cwd=home)
    assert [line.split()[0] for line in listing.splitlines()] == [name for name, _ in tfkit.ls()]
    for name, line in tfkit.ls():
        assert run(home / ".venv/bin/tfkit", "show", name, cwd=home).startswith(line)


@pytest.mark.slow
def test_every_page_loads_with_its_sample(home):
    program = "import tfkit\nfor name, _ in tfkit.ls(): print(tfkit.load(name).page)"
    pages = run(home / ".venv/bin/python", "-c", program, cwd=home).splitlines()
    assert pages
    assert all(page.startswith(str(home)) for page in pages)


@pytest.mark.slow
def test_the_samples_came_along(home):
    samples = [path for path in sorted((ROOT / "data").iterdir()) if path.suffix != ".md"]
    assert samples
    for sample in samples:
        found = run(home / ".venv/bin/python", "-c", f"import tfkit; print(tfkit.sample({sample.name!r}))", cwd=home)
        assert Path(found.strip()).read_bytes() == sample.read_bytes()


@pytest.mark.slow
def test_types_and_licence_came_along(home):
    [site] = (home / ".venv").glob("lib/python*/site-packages")
    assert (site / "tfkit" / "py.typed").is_file()
    assert list(site.glob("tfkit-*.dist-info/licenses/LICENSE"))
