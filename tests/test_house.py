"""The architecture: which room may import which. Read from the text of every file, so that it cannot go stale."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import tfkit

ROOT = Path(tfkit.__file__).resolve().parents[1]
FILES = sorted((ROOT / "tfkit").rglob("*.py"))
PAGES = sorted((ROOT / "recipes").glob("*.py"))

FLOORS = {
    "GROUND": {"config", "words", "search", "manual", "parts", "pages", "recipe", "recipes"},
    "PARTS": {"layers", "callbacks", "optimizers", "schedules", "losses", "metrics"}
    | {"datasets", "data", "devices", "replicas", "sharing", "loop", "steps", "fused", "philox"},
    "WORKS": {
        "engine",
        "fitting",
        "keeping",
        "resume",
        "display",
        "inference",
        "tasks",
        "run_dir",
        "api",
        "progress",
        "tuner",
        "evaluation",
        "scores",
        "measures",
        "baselines",
        "export",
        "checks",
        "report",
        "testing",
    },
    "DOOR": {"cli", "arguments", "__main__"},
}
MAY_IMPORT = {
    "GROUND": {"GROUND"},
    "PARTS": {"PARTS"},
    "WORKS": {"WORKS", "GROUND", "PARTS"},
    "DOOR": {"DOOR", "WORKS", "GROUND", "PARTS"},
}
KERAS_ALONE = {"layers", "callbacks", "schedules", "losses", "metrics"}
READERS = {"keras", "numpy", "pandas", "pyarrow", "scipy", "sklearn", "tensorflow", "PIL"}
FREE = {"__init__", "errors"}  # everybody may import them


class Import:
    """One import of a file: the dotted name that it asks for, and whether it stands at the top of the file."""

    def __init__(self, name, top):
        self.name, self.top = name, top
        self.package, _, rest = name.partition(".")
        self.room = rest.partition(".")[0] or "__init__"


def imports(file):
    """Every import of a file, but those for the type checker."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            node.body = []
    found = []
    for node in ast.walk(tree):
        top = node in tree.body
        if isinstance(node, ast.Import):
            found += [Import(alias.name, top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            found += [Import(_origin(node.module, alias.name), top) for alias in node.names]
    return found


def _origin(module, name):
    """Where `from module import name` leads: a public name of tfkit leads to the room that it lives in."""
    if module != "tfkit":
        return module
    if name in tfkit.PUBLIC:
        return tfkit.PUBLIC[name].replace(":", ".")
    return f"tfkit.{name}" if floor(name) or name in FREE else "tfkit.__init__"


def floor(room):
    return next((floor for floor, rooms in FLOORS.items() if room in rooms), None)


def room_of(file):
    return file.relative_to(ROOT / "tfkit").parts[0].removesuffix(".py")


def outside(file):
    """Imports from neither tfkit nor the standard library."""
    return [line for line in imports(file) if line.package not in {"tfkit", *sys.stdlib_module_names}]


def name_of(file):
    return str(file.relative_to(ROOT))


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_every_file_has_a_room(file):
    assert room_of(file) in FREE or floor(room_of(file)), f"put {room_of(file)} on a floor"


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_arrows_point_down(file):
    here = floor(room_of(file))
    for line in imports(file):
        if line.package == "tfkit" and here and line.room not in FREE:
            assert floor(line.room) in MAY_IMPORT[here], f"{here} ({name_of(file)}) imports {line.name}"
        if here not in (None, "DOOR"):
            assert line.name != "tfkit", f"{name_of(file)}: `import tfkit` hides an arrow, import from the room"


@pytest.mark.parametrize("file", [file for file in FILES if floor(room_of(file)) == "GROUND"], ids=name_of)
def test_ground_is_plain_python_and_pydantic(file):
    assert {line.package for line in outside(file)} <= {"pydantic"}


@pytest.mark.parametrize("file", [file for file in FILES if room_of(file) in KERAS_ALONE], ids=name_of)
def test_what_a_model_is_made_of_imports_keras_alone(file):
    assert {line.package for line in outside(file)} <= {"keras", "numpy"}


@pytest.mark.parametrize("file", [file for file in FILES if room_of(file) == "data"], ids=name_of)
def test_readers_import_what_they_need_where_they_need_it(file):
    assert {line.package for line in outside(file) if line.top} <= {"keras", "numpy"}
    assert {line.package for line in outside(file)} <= READERS


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_imports_keras_the_face_of_tfkit_and_its_data(page):
    assert {line.package for line in outside(page)} <= {"keras", "numpy", "pandas"}
    public = {"tfkit", "tfkit.__init__", *(name.replace(":", ".") for name in tfkit.PUBLIC.values())}
    assert {line.name for line in imports(page) if line.package == "tfkit"} <= public


def module_name(file):
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(file): file for file in FILES}


def imported_modules(file):
    """The files of tfkit that a file imports, imports inside functions included, those for the type checker not."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            node.body = []
    targets = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                targets.add(submodule if submodule in MODULES else node.module)
    return targets & MODULES.keys()


def test_no_import_cycles():
    graph = {name: imported_modules(file) - {name} for name, file in MODULES.items()}
    while leaves := [name for name, targets in graph.items() if not targets]:
        for name in leaves:
            del graph[name]
        for targets in graph.values():
            targets.difference_update(leaves)
    assert not graph, f"cycles among: {', '.join(f'{name} -> {targets}' for name, targets in sorted(graph.items()))}"


def test_there_are_files_to_look_at():
    assert len(FILES) > 10


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_a_file_has_a_job_and_a_name(file):
    assert not {"utils", "helpers", "common", "base", "misc"} & set(file.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("name", tfkit.__all__)
def test_every_public_name_is_there(name):
    found = getattr(tfkit, name)
    module, _, attribute = tfkit.PUBLIC.get(name, f"tfkit:{name}").partition(":")
    assert found is (getattr(import_module(module), attribute) if attribute else import_module(module))


@pytest.mark.parametrize("code", ["tfkit", "ls", "show", "--help", "train --help"])
def test_reading_loads_neither_keras_nor_pandas(code, page):
    words = code.split() + ([str(page)] if code == "show" else [])
    heavy = ["keras", "tensorflow", "pandas", "numpy", "pyarrow", "scipy", "sklearn", "matplotlib", "pydantic", "rich"]
    program = (
        "import sys, tfkit; dir(tfkit)\n"
        f"words = {words!r}\n"
        "if words != ['tfkit']:\n"
        "    from tfkit.cli import main\n"
        "    try: assert main(words) == 0\n"
        "    except SystemExit as end: assert end.code == 0\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
