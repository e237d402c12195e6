"""Writes docs/api.md from the signatures and docstrings of the public modules: `make api`.

The page is complete: griffe reads the source of each name in a public module's `__all__`, and of the types in its signatures.
Nothing is imported, so that the page does not depend on what is installed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import griffe

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "api.md"
PACKAGE = "cognito_session"
MODULES = (
    *(PACKAGE, f"{PACKAGE}.signin", f"{PACKAGE}.store", f"{PACKAGE}.testing"),
    *(f"{PACKAGE}.web.{adapter}" for adapter in ("asgi", "starlette", "fastapi", "wsgi", "flask", "django", "powertools")),
)
WIDTH = 100
ENUMS = ("Enum", "StrEnum")
INTERNAL_BASES = ("Assembly",)
INTERNAL_MEMBERS = {
    # what an adapter calls, not an application
    "RequestSession": {
        *("send", "note", "has_noted", "check_sent", "response_begins", "report_if_late", "required_of"),
        *("tell_cross_site", "atell_cross_site"),
    },
    "Csrf": {"verdict", "admits_handshake"},
}
OPENING = """# API

<!-- `make api` writes this page from the docstrings. -->

Import each name from the module under which this page lists it. What is not on this page may change in any release: other
modules, other names of these modules, and attributes of these classes that have no entry here.
"""
OTHERS = """## Other types

The signatures above use these types. Do not import them: their modules may change in any release.
"""

Node: TypeAlias = "griffe.Object | griffe.Alias"


def package() -> griffe.Module:
    """The package as griffe reads it."""
    source = [ROOT / "src"]
    return griffe.load(PACKAGE, search_paths=source, allow_inspection=False, resolve_aliases=True, resolve_external=False)


def module_of(tree: griffe.Module, path: str) -> griffe.Module:
    """A public module by its full name."""
    return tree if path == PACKAGE else tree[path.removeprefix(f"{PACKAGE}.")]


def target(node: Node) -> griffe.Object:
    """The definition that a name is imported from."""
    return node.final_target if node.is_alias else node


def exported(module: griffe.Module) -> list[str]:
    """The names in `__all__`."""
    return re.findall(r"'(\w+)'", str(module.members["__all__"].value).replace('"', "'"))


def text_of(node: griffe.Object) -> str:
    """The docstring, or an empty text."""
    return node.docstring.value if node.docstring is not None else ""


def public_names(tree: griffe.Module) -> dict[str, griffe.Object]:
    """Every public name with its module, and its definition."""
    modules = {path: module_of(tree, path) for path in MODULES}
    return {f"{path}.{name}": target(module.members[name]) for path, module in modules.items() for name in exported(module)}


def members_of(node: griffe.Object, shown: set[str]) -> dict[str, griffe.Object]:
    """The public methods and properties of a class by name, those of its private bases included."""
    if not node.is_class:
        return {}
    found: dict[str, griffe.Object] = {}
    for base in reversed(node.mro()):
        # what a manager is made of is private although it has no underscore
        if base.path.startswith(PACKAGE) and base.path not in shown and base.name not in INTERNAL_BASES:
            found |= _own_members(base)
    return found | _own_members(node)


def _own_members(node: griffe.Class) -> dict[str, griffe.Object]:
    return {
        name: member
        for name, member in node.members.items()
        if name not in INTERNAL_MEMBERS.get(node.name, ())
        and (name == "__call__" or not name.startswith(("_", "test_")))
        and not member.is_alias
        and (member.is_function or "property" in member.labels or member.has_docstring)
    }


def parameters_of(tree: griffe.Module, node: griffe.Function | griffe.Class) -> list[str]:
    """The parameters as Python writes them, with `**keywords: Unpack[...]` in full."""
    written: list[str] = []
    kinds = griffe.ParameterKind
    given = [each for each in node.parameters if each.name not in ("self", "cls")]
    for index, each in enumerate(given):
        before = given[index - 1].kind if index else None
        if each.kind is kinds.keyword_only and before not in (kinds.keyword_only, kinds.var_positional):
            written.append("*")
        if before is kinds.positional_only and each.kind is not kinds.positional_only:
            written.append("/")
        unpacked = re.fullmatch(r"Unpack\[(\w+)\]", str(each.annotation))
        if unpacked:
            keywords = find(tree, each.annotation.slice)
            written += [f"{name}: {field.annotation} = ..." for name, field in keywords.members.items()]
            continue
        star = {kinds.var_positional: "*", kinds.var_keyword: "**"}.get(each.kind, "")
        annotation = "" if each.annotation is None else f": {str(each.annotation).strip(chr(39) + chr(34))}"
        default = f" = {_value_of(tree, each.default)}" if each.default is not None and not star else ""
        written.append(f"{star}{each.name}{annotation}{default if annotation else default.replace(' ', '')}")
    if given and given[-1].kind is kinds.positional_only:
        written.append("/")
    return written


def _value_of(tree: griffe.Module, default: str | griffe.Expr) -> str:
    """A default as it is written, or the value of a constant of this package."""
    if isinstance(default, griffe.ExprName) and default.canonical_path.startswith(f"{PACKAGE}."):
        return str(find(tree, default).value)
    return str(default)


def find(tree: griffe.Module, name: griffe.ExprName) -> griffe.Object:
    """The definition that a name in an annotation has in this package. Raises KeyError."""
    return target(tree[name.canonical_path.removeprefix(f"{PACKAGE}.")])


def call(opening: str, parameters: list[str], closing: str) -> str:
    """A signature on one line, or with a line for each parameter where it is long."""
    line = f"{opening}({', '.join(parameters)}){closing}"
    if len(line) <= WIDTH:
        return line
    return f"{opening}(\n" + "".join(f"    {each},\n" for each in parameters) + f"){closing}"


def signatures(tree: griffe.Module, name: str, node: griffe.Object) -> list[str]:
    """The signature, or those of all overloads."""
    if node.is_class:
        return [_class_signature(tree, name, node)]
    if node.is_attribute:
        return [_attribute_signature(name, node)]
    kind = "async def" if "async" in node.labels else "def"
    return [
        "".join(f"@{each.value}\n" for each in node.decorators if str(each.value) in ("classmethod", "staticmethod"))
        + call(f"{kind} {name}", parameters_of(tree, each), f" -> {each.returns}" if each.returns is not None else "")
        for each in (node.overloads or [node])
    ]


def _class_signature(tree: griffe.Module, name: str, node: griffe.Class) -> str:
    bases = [str(base) for base in node.bases]
    if set(bases) & set(ENUMS):
        values = [f"    {key} = {member.value}" for key, member in node.members.items() if key.isupper()]
        return "\n".join([f"class {name}({', '.join(bases)}):", *values])
    if "__new__" in node.members:
        return call(f"class {name}", parameters_of(tree, node.members["__new__"]), "")
    tuples = [each for each in (node, *node.mro()) if "NamedTuple" in map(str, each.bases)]
    if tuples:
        members = tuples[0].members.values()
        fields = [each for each in members if each.is_attribute and each.annotation and "property" not in each.labels]
        parameters = [
            f"{each.name}: {each.annotation}" + (f" = {_value_of(tree, each.value)}" if each.value else "") for each in fields
        ]
    elif "Protocol" in bases or "TypedDict" in bases:
        return f"class {name}({', '.join(bases)})"
    else:
        parameters = parameters_of(tree, node)
    return call(f"class {name}", parameters, "")


def _attribute_signature(name: str, node: griffe.Attribute) -> str:
    annotation = f": {node.annotation}" if node.annotation is not None and str(node.annotation) != "Final" else ""
    value = f" = {node.value}" if node.value is not None and "property" not in node.labels else ""
    return f"{name}{annotation}{value}"


def entry(tree: griffe.Module, name: str, node: griffe.Object, shown: set[str]) -> Iterator[str]:
    """A name with its signature, the bases that this page has, and its docstring."""
    yield f"### {name}"
    yield "```pyi\n" + "\n".join(signatures(tree, name, node)) + "\n```"
    bases = [base.name for base in node.mro() if base.path in shown] if node.is_class else []
    if bases:
        yield "A subclass of " + ", ".join(f"`{base}`" for base in bases) + "."
    yield text_of(node)


def entries_of_members(tree: griffe.Module, name: str, node: griffe.Object, shown: set[str]) -> Iterator[str]:
    """The methods and properties of a class, each with its signature and docstring."""
    for member_name, member in members_of(node, shown).items():
        yield f"#### {name}.{member_name}"
        yield "```pyi\n" + "\n".join(signatures(tree, member_name, member)) + "\n```"
        yield text_of(member)


def others(tree: griffe.Module, public: dict[str, griffe.Object]) -> list[griffe.Object]:
    """The private types that the signatures of public names use, sorted by name."""
    paths = {node.path for node in public.values()}
    found: dict[str, griffe.Object] = {}
    for node in public.values():
        for part in (node, *members_of(node, paths).values()):
            for name in names_in(annotations_of(tree, part)):
                used = find(tree, name)
                if used.path not in paths and not _is_variable(used):
                    # several adapters define an alias of the same name for the same type
                    found.setdefault(f"{used.name} {getattr(used, 'value', used.path)}", used)
    return sorted(found.values(), key=lambda node: (node.name, node.path))


def _is_variable(node: griffe.Object) -> bool:
    """Whether it is a TypeVar or a ParamSpec."""
    return node.is_attribute and str(node.value).startswith(("TypeVar(", "ParamSpec("))


def names_in(annotations: Iterable[object]) -> Iterator[griffe.ExprName]:
    """The names of this package in annotations."""
    for annotation in annotations:
        for name in annotation.iterate(flat=True) if isinstance(annotation, griffe.Expr) else ():
            if isinstance(name, griffe.ExprName) and name.canonical_path.startswith(f"{PACKAGE}."):
                yield name


def annotations_of(tree: griffe.Module, node: griffe.Object) -> Iterator[object]:
    """What a signature, as it is on the page, is annotated with."""
    if node.is_attribute:
        yield node.annotation
        return
    for each in node.overloads or [node] if node.is_function else [node]:
        yield each.returns if node.is_function else None
        for parameter in each.parameters:
            if str(parameter.annotation).startswith("Unpack["):
                yield from (field.annotation for field in find(tree, parameter.annotation.slice).members.values())
            else:
                yield parameter.annotation
    if node.is_class and "NamedTuple" in map(str, node.bases):
        yield from (each.annotation for each in node.members.values() if each.is_attribute)


def page() -> str:
    """The text of docs/api.md."""
    tree = package()
    public = public_names(tree)
    shown = {node.path for node in public.values()}
    blocks = [OPENING.strip()]
    for path in MODULES:
        module = module_of(tree, path)
        blocks += [f"## {path}", text_of(module)]
        for name in exported(module):
            node = public[f"{path}.{name}"]
            blocks += [*entry(tree, name, node, shown), *entries_of_members(tree, name, node, shown)]
    blocks.append(OTHERS.strip())
    for node in others(tree, public):
        blocks += entry(tree, node.name, node, shown)
        if node.is_class and "Protocol" in map(str, node.bases):
            blocks += entries_of_members(tree, node.name, node, shown)
    return "\n\n".join(block for block in blocks if block) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} written\n")
