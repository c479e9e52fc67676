"""The architecture: which package may import which, sizes of files, and what importing loads. Read from the source."""

import ast
import functools
import subprocess
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest

import tfkit

ROOT = Path(tfkit.__file__).resolve().parents[1]
FILES = sorted((ROOT / "tfkit").rglob("*.py"))
TEST_FILES = sorted((ROOT / "tests").rglob("*.py"))
RECIPES = sorted((ROOT / "recipes").glob("*.py"))

# A package imports itself and the packages above it, nothing else. Root modules import each other without a cycle.
LADDER = (
    (
        "errors",
        "setting_types",
        "config",
        "search_space",
        "recipe",
        "metadata",
        "atomic_files",
        "run_dir",
        "console",
        "python_process",
        "recipes",
    ),
    ("catalog",),
    ("losses", "metrics", "schedules", "optimizers"),
    ("layers", "callbacks"),
    ("datasets",),
    ("data",),
    ("tasks",),
    ("linear_models",),
    ("evaluation",),
    ("inference",),
    ("analysis",),
    ("training",),
    ("export",),
    ("reporting",),
    ("tuning",),
    ("api",),
    ("verification", "testing"),
    ("cli", "__main__"),
)
STEP = {name: step for step, names in enumerate(LADDER) for name in names}
ROOT_LIBRARIES = {"pydantic", "rich"}  # that root modules and the catalog may import
KERAS_MODULES = {"losses", "metrics", "schedules", "optimizers"}  # modules, not packages: they may use each other
KERAS_ONLY = {"layers", "callbacks", "schedules", "losses", "metrics"}
DATA_LIBRARIES = {
    "pydantic",
    "keras",
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "sklearn",
    "tensorflow",
    "PIL",
    "python_calamine",
}
MAX_LINES, MAX_TEST_LINES, MAX_RECIPE_LINES, MAX_FILES = 300, 400, 120, 15
MAX_FUNCTION_LINES = 60


def name_of(file):
    return str(file.relative_to(ROOT))


def module_name(file):
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(file): file for file in FILES}


def package_of(module):
    """`tfkit.data.files.csv` -> `data`."""
    return (*module.split("."), "")[1]


@functools.cache
def imports(file):
    return tuple(read_imports(file))


def read_imports(file):
    """Module and nesting of every import of a file, imports inside functions included, those for types only not."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            node.body = []
    for node in ast.walk(tree):
        is_top = node in tree.body
        if isinstance(node, ast.Import):
            yield from ((alias.name, is_top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports must be absolute"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield (submodule if submodule in MODULES else node.module), is_top


def imported_modules(file):
    return {name for name, _ in imports(file)} & MODULES.keys()


def libraries(file, top_only=False):
    """Packages outside tfkit and the standard library."""
    names = {name.partition(".")[0] for name, is_top in imports(file) if is_top or not top_only}
    return names - {"tfkit", *sys.stdlib_module_names}


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_package_is_in_the_ladder(file):
    assert package_of(module_name(file)) in {"", *STEP}, "add the package to LADDER"


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_up_the_ladder(module):
    package = package_of(module)
    step = STEP.get(package, 0)  # `tfkit` itself is a root module
    for target in imported_modules(MODULES[module]) - {"tfkit", module}:
        target_package = package_of(target)
        is_sibling = target_package == package or (
            STEP[target_package] == step and (step == 0 or package in KERAS_MODULES)
        )
        is_entry = module == "tfkit.__main__" and target_package == "cli"
        assert is_sibling or is_entry or STEP[target_package] < step, (
            f"{module} imports {target}, which is not above it"
        )


@pytest.mark.parametrize("module", [name for name in MODULES if package_of(name) != "cli"])
def test_import_of_tfkit_itself(module):
    """`import tfkit` would hide which package is used."""
    allowed = {"tfkit.recipes", "tfkit.run_dir"}  # its version and its folder
    if module not in allowed:
        assert "tfkit" not in {name for name, _ in imports(MODULES[module])}, "import from the package instead"


def test_no_import_cycles():
    graph = {name: imported_modules(file) - {name} for name, file in MODULES.items()}
    while leaves := [name for name, targets in graph.items() if not targets]:
        for name in leaves:
            del graph[name]
        for targets in graph.values():
            targets.difference_update(leaves)
    assert not graph, f"cycles among: {graph}"


@pytest.mark.parametrize("file", [f for f in FILES if STEP.get(package_of(module_name(f)), 0) < 2], ids=name_of)
def test_root_modules_import_few_libraries(file):
    assert libraries(file) <= ROOT_LIBRARIES


@pytest.mark.parametrize("file", [f for f in FILES if package_of(module_name(f)) in KERAS_ONLY], ids=name_of)
def test_model_components_import_only_keras(file):
    strings = {"tensorflow"} if file.name == "text.py" else set()  # Keras has no operations on strings
    assert libraries(file) <= {"keras", "numpy"} | strings


@pytest.mark.parametrize("file", [f for f in FILES if package_of(module_name(f)) == "data"], ids=name_of)
def test_data_imports_heavy_libraries_inside_functions(file):
    assert libraries(file, top_only=True) <= {"keras", "numpy", "pydantic"}
    assert libraries(file) <= DATA_LIBRARIES


@pytest.mark.parametrize("recipe", RECIPES, ids=name_of)
def test_recipe_imports_only_the_public_api(recipe):
    assert libraries(recipe) <= {"keras", "numpy", "pandas"}
    public = {"tfkit", *(name.partition(":")[0] for name in tfkit.PUBLIC.values())}
    assert {name for name, _ in imports(recipe) if name.partition(".")[0] == "tfkit"} <= public


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_file_name_says_what_it_holds(file):
    assert not {"utils", "helpers", "common", "base", "misc"} & set(file.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("file", [*FILES, *TEST_FILES, *RECIPES], ids=name_of)
def test_file_is_short(file):
    limits = {"tests": MAX_TEST_LINES, "recipes": MAX_RECIPE_LINES, "tfkit": MAX_LINES}
    lines = len(file.read_text(encoding="utf-8").splitlines())
    assert lines <= limits[file.relative_to(ROOT).parts[0]], "split the file: it holds more than one idea"


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_functions_are_short(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    lines = {node.name: node.end_lineno - node.lineno + 1 - docstring_lines(node) for node in functions}
    assert not {name: count for name, count in lines.items() if count > MAX_FUNCTION_LINES}, "without docstring"


def docstring_lines(function):
    first = function.body[0]
    return first.end_lineno - first.lineno + 1 if ast.get_docstring(function) else 0


def test_packages_are_small():
    counts = Counter(str(file.parent.relative_to(ROOT)) for file in FILES if not file.stem.startswith("__"))
    assert not {name: count for name, count in counts.items() if count > MAX_FILES}


@pytest.mark.parametrize("name", tfkit.__all__)
def test_public_name_exists(name):
    value = getattr(tfkit, name)
    module, _, attribute = tfkit.PUBLIC.get(name, f"tfkit:{name}").partition(":")
    assert value is (getattr(import_module(module), attribute) if attribute else import_module(module))


@pytest.mark.parametrize("command", ["tfkit", "ls", "show", "--help", "train --help"])
def test_reading_commands_load_no_heavy_library(command, recipe_file):
    arguments = command.split() + ([str(recipe_file)] if command == "show" else [])
    heavy = ["keras", "tensorflow", "pandas", "numpy", "pyarrow", "scipy", "sklearn", "matplotlib", "pydantic", "rich"]
    program = (
        "import sys, tfkit; dir(tfkit)\n"
        f"arguments = {arguments!r}\n"
        "if arguments != ['tfkit']:\n"
        "    from tfkit.cli.main import main\n"
        "    try: assert main(arguments) == 0\n"
        "    except SystemExit as end: assert end.code == 0\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
