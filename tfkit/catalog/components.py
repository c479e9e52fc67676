"""Catalog of tfkit's components for any Keras model, read from source without importing it."""

import ast
from pathlib import Path
from typing import NamedTuple

PACKAGE_FOLDER = Path(__file__).parents[1]

COMPONENT_PACKAGES = ("layers", "callbacks", "losses", "metrics", "schedules", "optimizers", "testing")


class Component(NamedTuple):
    """A public class or function: name (`layers.MLP`), signature and docstring."""

    name: str
    signature: str
    docstring: str

    @property
    def line(self) -> str:
        """The first sentence of the docstring."""
        return " ".join(self.docstring.split("\n\n")[0].split())


def list_components(package: str) -> list[Component]:
    """Return the public components of a package or module of tfkit, sorted by name.

    Example:
        >>> [part.name for part in list_components("losses")][:2]
        ['losses.EnsembleLoss', 'losses.GaussianNLL']
    """
    folder = PACKAGE_FOLDER / package
    files = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    definitions = {
        node.name: node
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
    }
    public = _exported_names(trees[0] if folder.is_dir() else None) or list(definitions)
    return [_component(package, definitions[name]) for name in sorted(public, key=str.lower) if name in definitions]


def find_component(name: str) -> Component | None:
    """Find a component by `layers.MLP`, `tfkit.layers.MLP` or `MLP`; None if unknown."""
    *prefix, component_name = name.removeprefix("tfkit.").split(".")
    packages = (
        COMPONENT_PACKAGES if not prefix else tuple(package for package in COMPONENT_PACKAGES if [package] == prefix)
    )
    components = (component for package in packages for component in list_components(package))
    return next((component for component in components if component.name.partition(".")[2] == component_name), None)


def format_components(package: str) -> list[str]:
    """Format one line for each component of a package: its name and first sentence."""
    components = list_components(package)
    width = max(len(component.name) for component in components)
    return [f"{component.name:{width}}  {component.line}" for component in components]


def _exported_names(tree: ast.Module | None) -> list[str]:
    """Return the names in the `__all__` of a package."""
    for node in tree.body if tree else ():
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return []


def _without_annotations(arguments: ast.arguments) -> ast.arguments:
    """Remove the types of arguments, which the docstring names."""
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    for argument in every:
        if argument is not None:
            argument.annotation = None
    return arguments


def _component(package: str, node: ast.ClassDef | ast.FunctionDef) -> Component:
    """Read signature and docstring of a definition.

    The signature of a class is that of its `__init__`.
    """
    function: ast.stmt = node
    if isinstance(node, ast.ClassDef):
        methods = (method for method in node.body if isinstance(method, ast.FunctionDef))
        function = next((method for method in methods if method.name == "__init__"), node)
    arguments = ast.unparse(_without_annotations(function.args)) if isinstance(function, ast.FunctionDef) else ""
    arguments = arguments.removeprefix("self, ").removesuffix(", **kwargs")
    return Component(f"{package}.{node.name}", f"{node.name}({arguments})", ast.get_docstring(node) or "")
