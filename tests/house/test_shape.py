"""House rules of packages: no circle of imports inside any of them, and one meaning for a class's name in a plane."""

import graphlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from tests.trees import Modules, imported, modules

CLASS = re.compile(r"^class (\w+)", re.MULTILINE)


def circles(texts: Modules) -> dict[str, list[str]]:
    """Of each package with one, a circle among what lies in it: modules, packages, and its own __init__ as a dot."""
    inside: dict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for importer, text in texts.items():
        for target in set(imported(text, texts)) - {importer}:
            package, left, right = parted(importer, target)
            inside[package][left].add(right)
    return {package: circle for package, graph in sorted(inside.items()) if (circle := circle_in(graph))}


def parted(importer: str, target: str) -> tuple[str, str, str]:
    """The innermost package that holds both, and what of it each is in."""
    ours, theirs = importer.split("."), target.split(".")
    depth = next(
        (at for at, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]),
        min(len(ours), len(theirs)),
    )
    return ".".join(ours[:depth]), *(parts[depth] if len(parts) > depth else "." for parts in (ours, theirs))  # type: ignore[return-value]


def circle_in(graph: Mapping[str, Iterable[str]]) -> list[str]:
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        circle: list[str] = error.args[1]
        return circle
    return []


def doubles(texts: Modules) -> dict[str, list[str]]:
    """Of each plane, and each family of policies, the names that two of its classes have. A private class is its
    module's own affair."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for module, text in texts.items():
        depth = 3 if module.startswith("attacca.policy.") else 2  # families are strangers
        counts[".".join(module.split(".")[:depth])].update(name for name in CLASS.findall(text) if name[0] != "_")
    found = {plane: sorted(name for name, count in names.items() if count > 1) for plane, names in counts.items()}
    return {plane: names for plane, names in sorted(found.items()) if names}


def test_no_package_has_a_circle_of_imports() -> None:
    assert circles(modules()) == {}


def test_no_two_classes_of_a_plane_have_one_name() -> None:
    assert doubles(modules()) == {}


def test_a_circle_is_found_however_it_is_imported() -> None:
    package = {"attacca": "", "attacca.a": "", "attacca.a.one": "", "attacca.a.two": "", "attacca.b": ""}
    there, back = "from attacca.a import (\n    two,  # a module\n)\n", "def f():\n    from attacca.a.one import f\n"
    assert circles(package | {"attacca.a.one": there}) == {}
    assert circles(package | {"attacca.a.one": there, "attacca.a.two": back}) == {"attacca.a": ["one", "two", "one"]}
    assert circles(package | {"attacca.a.one": "import attacca.b", "attacca.b": "from attacca.a import two"}) == {
        "attacca": ["a", "b", "a"]
    }
    within = {"attacca.a": "from attacca.a.one import f", "attacca.a.one": "from attacca.a import f"}
    assert circles(package | within) == {"attacca.a": [".", "one", "."]}


def test_two_classes_of_one_name_are_found() -> None:
    texts = {
        "attacca.a.one": "class Thing:\n    ...\nclass _Part: ...",
        "attacca.a.two": "class Thing(X): ...\nclass _Part: ...",
    }
    assert doubles(texts) == {"attacca.a": ["Thing"]}
    assert doubles({"attacca.a.one": "class Thing: ...", "attacca.b.two": "class Thing: ..."}) == {}
    twice = {f"attacca.policy.{family}.one": "class Fixed: ..." for family in ("a", "b")}
    assert doubles(twice) == {}
    assert doubles(twice | {"attacca.policy.a.two": "class Fixed: ..."}) == {"attacca.policy.a": ["Fixed"]}
