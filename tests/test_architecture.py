"""The rules of the house, checked: one-way imports, no modality's name in the core, small rooms."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "sensorium"
FILES = sorted(SOURCE.rglob("*.py"))

# A room imports only from rooms before it (docs/design.md).
ROOMS = (
    "plugins", "types", "checked", "seals", "source", "files", "train_config", "device", "opening", "modalities",
    "codecs", "families", "vocabulary", "stream", "senses", "model", "data", "training", "learning", "runs", "engines",
    "generate",
    "embed", "evaluate", "grounding", "reason", "insight", "recipe", "serve", "api", "doctor", "__init__",
    "cli", "__main__",
)  # fmt: skip
MAY_NAME_MODALITIES = ("modalities", "families", "__init__")
DOORS = {
    "serve/http/images.py", "serve/http/forecast.py", "serve/http/audio.py", "serve/http/audio_chat.py",
    "serve/http/audio_files.py", "serve/http/audio_listening.py", "serve/http/audio_speech.py",
    "serve/http/audio_transcripts.py", "generate/spoken.py", "cli/transcribe.py", "cli/speak.py", "doctor.py",
    "data/scene_graphs.py", "data/labelled_boxes.py", "data/fact_importers.py", "grounding/localisation.py",
}  # fmt: skip
"""Routes and commands for a single modality, names of extras, and forms that others annotate one in."""
MODALITY_NAME = re.compile(
    r"(?<![a-z])(images?|audio|videos?|speech|sounds?|pictures?|photos?|drawings?|pixels?|jpe?g|webp|wav|mp3|mel|series|boxes|"
    r"actions|keypoints?)(?![a-z])",
    re.IGNORECASE,
)
FILE_LINES = 450
FUNCTION_LINES = 60
FUNCTION_PARAMETERS = 16


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imported_rooms(path: Path) -> Iterator[tuple[int, str]]:
    """Line and room of every import of Sensorium in a file, also those inside functions."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "sensorium":
            names = [f"sensorium.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "sensorium":
                yield node.lineno, parts[1] if len(parts) > 1 and parts[1] in ROOMS else "__init__"


def docstrings(tree: ast.Module) -> set[ast.AST]:
    """The nodes of docstrings, which may give examples: strings that stand alone as a statement."""
    return {
        node.value for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def words(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every name and string of a file but its docstrings."""
    prose = docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in prose:
            yield node.lineno, node.value
        for attribute in ("id", "attr", "arg", "name", "module"):
            value = getattr(node, attribute, None)
            if isinstance(value, str):
                yield getattr(node, "lineno", 0), value


def relative(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(SOURCE)) for path in paths]


@pytest.mark.parametrize("path", FILES, ids=relative(FILES))
def test_imports_go_one_way(path):
    room = room_of(path)
    assert room in ROOMS, f"{room} has no place in the order of rooms; add it to ROOMS and to the design"
    wrong = [
        f"line {line}: {room} imports {other}"
        for line, other in imported_rooms(path)
        if ROOMS.index(other) > ROOMS.index(room) and not (room == "__init__" and other == "api")
    ]
    assert not wrong


def module_of(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(path: Path) -> Iterator[str]:
    """Modules of Sensorium that a file needs to be loaded: not those for types alone, nor those inside functions."""
    for node in tree_of(path).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("sensorium"):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
            yield node.module


def test_no_files_import_each_other_in_a_circle():
    modules = {module_of(path): path for path in FILES}
    own_package = {name: name.rpartition(".")[0] for name in modules}
    graph = {
        name: {found for found in imported_modules(path) if found in modules and found not in (name, own_package[name])}
        for name, path in modules.items()
        if path.name != "__init__.py"
    }
    list(TopologicalSorter(graph).static_order())  # CycleError names the files of a circle


CORE = [
    path for path in FILES if room_of(path) not in MAY_NAME_MODALITIES and str(path.relative_to(SOURCE)) not in DOORS
]


@pytest.mark.parametrize("path", CORE, ids=relative(CORE))
def test_the_core_names_no_modality(path):
    found = [f"line {line}: {word!r}" for line, word in words(tree_of(path)) if MODALITY_NAME.search(word)]
    assert not found, "only modalities, codecs, recipes and front ends may name a modality"


def test_the_search_for_modality_names_can_fail():
    code = ast.parse('"""An image here is prose."""\nkind = "image"\nimage_size = part.image_url')
    assert [word for _, word in words(code) if MODALITY_NAME.search(word)] == ["image", "image_size", "image_url"]


PYTHON = [*FILES, *sorted((ROOT / "recipes").rglob("*.py"))]


@pytest.mark.parametrize("path", PYTHON, ids=[str(path.relative_to(ROOT)) for path in PYTHON])
def test_rooms_are_small(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= FILE_LINES, f"{lines} lines: a file tells one concept"
    for node in ast.walk(tree_of(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            parameters = len(node.args.args) + len(node.args.kwonlyargs)
            assert length <= FUNCTION_LINES, f"{node.name} has {length} lines: a function fits a screen"
            assert parameters <= FUNCTION_PARAMETERS, f"{node.name} has {parameters} parameters"


def test_folders_are_at_most_two_levels_deep():
    """A room, and in the biggest room one more: serve/http, serve/writing, serve/media."""
    deep = [path for path in FILES if len(path.relative_to(SOURCE).parts) > (3 if room_of(path) == "serve" else 2)]
    assert not relative(deep)


def pinned(path: Path, call: ast.Call) -> bool:
    """Whether weights are loaded as nothing else, where their digest is known: of a package that has no safetensors."""
    only = [ast.unparse(one.value) for one in call.keywords if one.arg == "weights_only"] == ["True"]
    return path == SOURCE / "families" / "seen.py" and ast.unparse(call.func) == "torch.load" and only


def test_weights_are_never_pickled():
    wrong = [
        str(path.relative_to(ROOT))
        for path in PYTHON
        for node in ast.walk(tree_of(path))
        if (isinstance(node, (ast.Import, ast.ImportFrom)) and "pickle" in ast.unparse(node))
        or (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) in ("torch.save", "torch.load")
            and not pinned(path, node)
        )
    ]
    assert not wrong, "weights travel as safetensors"


TEXT_SUFFIXES = {".py", ".md", ".toml", ".txt", ".yml", ".sh", ""}
SKIPPED = {"build", "dist", "__pycache__", "results", "weights", "shared"}


def texts() -> Iterator[Path]:
    for folder, below, names in os.walk(ROOT):
        below[:] = [name for name in below if name not in SKIPPED and (name == ".ci" or not name.startswith("."))]
        here = (name for name in names if name != ".git")  # a file where the checkout is a worktree
        yield from (Path(folder, name) for name in here if Path(name).suffix in TEXT_SUFFIXES)


def test_no_paths_of_a_machine_are_written_down():
    private = re.compile(r"(?<![\w.])/(?:work|root|home/\w+|opt/wheels)/")
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in texts()
        for match in private.finditer(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert not found
