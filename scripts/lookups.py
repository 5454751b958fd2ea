"""What scikit-learn, and what it calls, looks up by a name, or asks of an attribute.

Found by reading the installed source, not by running it:

    lookup     getattr, attrgetter, import_module and the like with a name that is no constant;
               a method for a response that is no constant; a format that is no constant
    asked      `self.attribute.predict(...)` and its kin
    splatted   `**self.attribute`
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGES = (
    "sklearn", "scipy.sparse", "scipy.interpolate", "scipy.spatial", "scipy.special",
    "numpy.ma", "numpy._core", "numpy.lib", "numpy.random", "joblib",
)  # fmt: skip
_SKIPPED = (
    "tests", "test", "datasets", "externals", "inspection", "conftest", "_plot", "_plotting",
    "_build_utils", "_testing", "_test_common", "estimator_checks", "_mocking", "discovery",
    "csgraph", "linalg", "_precompute",
)  # fmt: skip
_BY_NAME = {"getattr": 1, "attrgetter": 0, "methodcaller": 0, "import_module": 0, "__import__": 0,
            "eval": 0, "exec": 0}  # fmt: skip
_RESPONSES = {"_get_response_values", "_get_response_values_binary", "_check_response_method"}
_ASKED = {
    "predict", "predict_proba", "predict_log_proba", "decision_function", "transform",
    "inverse_transform", "score_samples", "kneighbors", "query", "query_radius",
}  # fmt: skip


class Site(NamedTuple):
    """One place in the source."""

    kind: str
    place: str
    what: str


def sites() -> set[Site]:
    """All places, in all packages; what is no look-up is of interest in scikit-learn alone."""
    found: set[Site] = set()
    for package in PACKAGES:
        reader = _Reader(_parsed(package))
        found |= {site for site in reader.sites if package == "sklearn" or site.kind == "lookup"}
    return found


def _parsed(package: str) -> dict[str, ast.Module]:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return {}
    root = Path(next(iter(spec.submodule_search_locations)))
    modules = {}
    for path in sorted(root.rglob("*.py")):
        inner = path.relative_to(root).with_suffix("").parts
        if not any(part in _SKIPPED or part.startswith("test_") for part in inner):
            name = ".".join((package, *inner)).removesuffix(".__init__")
            modules[name] = ast.parse(path.read_bytes())
    return modules


class _Reader(ast.NodeVisitor):
    """Collects the places of a package."""

    def __init__(self, modules: dict[str, ast.Module]) -> None:
        self.sites: list[Site] = []
        self.inside: list[str] = []
        for name, tree in modules.items():
            self.inside = [name]
            self.visit(tree)

    def _visit_named(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self.inside.append(node.name)
        self.generic_visit(node)
        self.inside.pop()

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _visit_named  # noqa: N815 - ast's names

    def _visit_place(self, node: ast.Call | ast.Subscript) -> None:
        self.sites += [Site(kind, ".".join(self.inside), what) for kind, what in _found(node)]
        self.generic_visit(node)

    visit_Call = visit_Subscript = _visit_place  # noqa: N815 - ast's names


def _found(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Subscript) and _calls(node.value, {"globals", "vars", "locals"}):
        yield "lookup", ast.unparse(node)
    if not isinstance(node, ast.Call):
        return
    name, function = _name(node.func), node.func
    if name in _BY_NAME and _is_computed(node.args[_BY_NAME[name] :][:1]):
        yield "lookup", ast.unparse(node)
    if name in _RESPONSES and _is_computed([*node.args[1:], *_named(node, "response_method")]):
        yield "lookup", ast.unparse(node)
    if isinstance(function, ast.Attribute):
        if name == "format" and not isinstance(function.value, ast.Constant):
            yield "lookup", ast.unparse(function)
        asked = function.value
        if name in _ASKED and isinstance(asked, ast.Attribute) and _of_self(asked):
            yield "asked", asked.attr
    for keyword in node.keywords:
        if keyword.arg is None and isinstance(keyword.value, ast.Attribute):
            yield "splatted", keyword.value.attr


def _name(function: ast.AST) -> str:
    if isinstance(function, ast.Name):
        return function.id
    return function.attr if isinstance(function, ast.Attribute) else ""


def _calls(node: ast.AST, names: set[str]) -> bool:
    return isinstance(node, ast.Call) and _name(node.func) in names


def _of_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "self"


def _is_computed(names: list[ast.expr]) -> bool:
    return bool(names) and not all(_is_constant(name) for name in names)


def _is_constant(node: ast.expr) -> bool:
    several = isinstance(node, ast.List | ast.Tuple) and all(map(_is_constant, node.elts))
    return several or isinstance(node, ast.Constant)


def _named(call: ast.Call, name: str) -> list[ast.expr]:
    return [keyword.value for keyword in call.keywords if keyword.arg == name]
