"""A wheel, built from the sdist and installed outside the checkout, has the recipes and the sample data."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

import tfkit

ROOT = Path(tfkit.__file__).resolve().parents[1]


def run(*command, cwd):
    """Run a command and return its output."""
    arguments = [str(argument) for argument in command]
    return subprocess.run(arguments, cwd=cwd, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def install_folder(tmp_path_factory):
    """A folder with a new `.venv` in which the wheel is installed; other packages come from this environment."""
    folder = tmp_path_factory.mktemp("install")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", ROOT, cwd=folder)
    venv.create(folder / ".venv", with_pip=False)
    [wheel] = (folder / "dist").glob("*.whl")
    run(sys.executable, "-m", "pip", "--python", folder / ".venv", "install", "--quiet", "--no-deps", wheel, cwd=folder)
    [site] = (folder / ".venv").glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return folder


@pytest.mark.slow
def test_the_wheel_is_used_and_not_the_checkout(install_folder):
    file = run(
        install_folder / ".venv/bin/python",
        "-c",
        "import tfkit; print(tfkit.__file__, tfkit.CHECKOUT)",
        cwd=install_folder,
    )
    assert file.startswith(str(install_folder))
    assert file.split()[1] == "None"


@pytest.mark.slow
def test_the_command_lists_every_recipe(install_folder):
    output = run(install_folder / ".venv/bin/tfkit", "ls", cwd=install_folder)
    assert [line.split()[0] for line in output.splitlines()] == [name for name, _ in tfkit.list_recipes()]
    for name, summary in tfkit.list_recipes():
        assert run(install_folder / ".venv/bin/tfkit", "show", name, cwd=install_folder).startswith(summary)


@pytest.mark.slow
def test_every_recipe_loads_with_its_sample(install_folder):
    program = "import tfkit\nfor name, _ in tfkit.list_recipes(): print(tfkit.load_recipe(name).path)"
    paths = run(install_folder / ".venv/bin/python", "-c", program, cwd=install_folder).splitlines()
    assert paths
    assert all(path.startswith(str(install_folder)) for path in paths)


@pytest.mark.slow
def test_the_samples_are_in_the_wheel(install_folder):
    samples = [path for path in sorted((ROOT / "data").iterdir()) if path.suffix != ".md"]
    assert samples
    for sample in samples:
        path = run(
            install_folder / ".venv/bin/python",
            "-c",
            f"import tfkit; print(tfkit.sample_path({sample.name!r}))",
            cwd=install_folder,
        )
        assert Path(path.strip()).read_bytes() == sample.read_bytes()


@pytest.mark.slow
def test_type_marker_and_license_are_in_the_wheel(install_folder):
    [site] = (install_folder / ".venv").glob("lib/python*/site-packages")
    assert (site / "tfkit" / "py.typed").is_file()
    assert list(site.glob("keras_recipes-*.dist-info/licenses/LICENSE"))
