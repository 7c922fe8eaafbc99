"""The order of the rooms: a room imports only from rooms before it, and no modules in a circle."""

import ast
import graphlib
import pathlib

import pytest

import im2latex_jax

PACKAGE = pathlib.Path(im2latex_jax.__file__).parent
# Rooms on one line do not import from each other.
ORDER = (
    ("errors",),
    ("runtime", "images", "config"),
    ("latex",),
    ("rendering", "solving"),
    ("formats",),
    ("datasets",),
    ("input_pipeline",),
    ("model",),
    ("decoding",),
    ("recognizer",),
    ("evaluation", "export"),
    ("training",),
    ("cli", "server"),
    ("__main__",),
)
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
# (importing module, imported module): what the order does not allow yet.
EXCEPTIONS: set[tuple[str, str]] = set()
# The same, of imports inside of a function that close a circle.
CIRCLES = {("latex.normalizer", "latex.canonical"), ("datasets.statistics", "datasets.records")}


def modules() -> dict[str, pathlib.Path]:
    """The package's modules by their names below the package; the package itself is ""."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path
    return found


def imports(name: str, path: pathlib.Path, known: dict[str, pathlib.Path]) -> set[str]:
    """The modules of the package that a module imports, inside of functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for full in names:
            top, _, inner = full.partition(".")
            if top == "im2latex_jax":
                found.add(inner if inner in known else inner.rpartition(".")[0])
            assert top not in ("experiments", "tests"), f"{path}:{node.lineno}: imports {full}"
    return found - {name}


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    known = modules()
    return {name: imports(name, path, known) for name, path in known.items()}


def test_every_module_is_in_a_room(graph):
    assert {name.partition(".")[0] for name in graph} - {""} <= set(RANK) | {"weights"}


def test_rooms_import_only_from_rooms_before_them(graph):
    wrong = set()
    for name, imported in graph.items():
        room = name.partition(".")[0]
        for other in imported - {""}:
            theirs = other.partition(".")[0]
            if room and theirs != room and RANK[theirs] >= RANK[room]:
                wrong.add((name, other))
    assert wrong == EXCEPTIONS


def test_no_modules_import_each_other_in_a_circle(graph):
    edges = {
        name: {other for other in imported if (name, other) not in CIRCLES}
        for name, imported in graph.items()
    }
    try:
        graphlib.TopologicalSorter(edges).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_only_few_modules_are_outside_of_rooms():
    assert len([*PACKAGE.glob("[!_]*.py")]) <= 6
