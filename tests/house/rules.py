"""The rules of the house as functions: a file's path and text in, sentences about what breaks a rule out."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

Rule = Callable[[str, str], Iterator[str]]

SHARED = {
    "model",
    "columns",
    "dicom",
    "attributes",
    "phi",
    "errors",
    "settings",
    "secret",
    "log",
    "orphans",
    "apart",
    "words",
    "folders",
    "place",
    "identity",
    "tls",
    "certificates",
    "confine",
    "unexpected",
}
"""Modules of crawler that every room may use; all else in crawler/ is a room."""

BETWEEN_ROOMS = {
    ("cohort", "lake"),
    ("asking", "decode"),
    ("retrieve", "pacs"),
    ("retrieve", "lake"),
    ("export", "lake"),
    ("export", "retrieve"),
    ("testing", "pacs"),
    ("serve", "lake"),
    ("serve", "pacs"),
}
"""Which room may import which other one. `testing` and `serve` stand on top of what they simulate or show."""

LIBRARIES = {
    "pynetdicom": ("crawler/retrieve/", "crawler/testing/"),
    "deltalake": ("crawler/lake/",),
    "duckdb": ("crawler/lake/", "crawler/serve/sql/"),
    "SimpleITK": ("crawler/export/",),
    "PIL": ("crawler/export/",),
    "dcm2niix": ("crawler/export/",),
    "apscheduler": ("jobs/scheduler.py",),
    "pydantic": ("crawler/settings/", "crawler/serve/", "crawler/deid/"),
    "prometheus_client": ("crawler/serve/", "jobs/metrics.py"),
    "starlette": ("crawler/serve/",),
    "fastapi": ("crawler/serve/",),
    "markdown_it": ("crawler/serve/web/",),
    "jinja2": ("crawler/serve/", "crawler/export/"),
    "uvicorn": ("crawler/serve/",),
    "sqlglot": ("crawler/live/",),
    "httpx": ("crawler/pacs/",),
    "cryptography": ("crawler/certificates.py",),
    "psycopg": ("crawler/queue/",),
    "procrastinate": ("crawler/queue/",),
    "click": ("jobs/",),
    "rich": ("jobs/",),
}

LONGEST_FILE = {"crawler/": 400, "jobs/": 200, "tests/": 400, "benchmarks/": 400}
LONGEST_FUNCTION = 50
MOST_PARAMETERS = 5

CATCH_ALL = {
    "jobs/cli.py",
    "jobs/crawl.py",
    "jobs/work.py",
    "crawler/apart.py",
    "crawler/pacs/acceptor.py",
    "crawler/retrieve/receiver.py",
}
"""The command line's main, the job's boundary, a thread's to whoever waits for it, and the SCP's handler."""

IMPURE_MODULES = {
    "asyncio",
    "fcntl",
    "random",
    "shutil",
    "signal",
    "socket",
    "sqlite3",
    "subprocess",
    "tempfile",
    "threading",
}
IMPURE_CALLS = {
    "open",
    "print",
    "input",
    "now",
    "today",
    "read_text",
    "read_bytes",
    "write_text",
    "write_bytes",
    "sleep",
}


def in_product(path: str) -> bool:
    return path.startswith(("crawler/", "jobs/"))


def imports(source: str) -> Iterator[tuple[str, bool]]:
    """Give what a file imports, and whether only for the type checker."""
    tree = ast.parse(source)
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for statement in block.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((name.name, id(node) in for_types) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield module, id(node) in for_types
            yield from ((f"{module}.{name.name}", id(node) in for_types) for name in node.names)


def rooms_do_not_mix(path: str, source: str) -> Iterator[str]:
    """Keep rooms apart: crawler knows nothing of jobs, a room nothing of its siblings."""
    if not path.startswith("crawler/"):
        return
    own = path.split("/")[1].removesuffix(".py")
    for module, _ in imports(source):
        first, _, rest = module.partition(".")
        if first == "jobs":
            yield f"crawler imports {module}"
        other = rest.partition(".")[0]
        if first != "crawler" or not other or other in SHARED or own in ("__init__", other):
            continue
        if (own, other) not in BETWEEN_ROOMS and other not in ("open_lake",):
            yield f"{own} imports {module}"


def simulator_stays_outside(path: str, source: str) -> Iterator[str]:
    """Let only the demo, the simulator's command and tests import crawler.testing."""
    allowed = path.startswith(
        ("crawler/testing/", "tests/", "benchmarks/", "jobs/simulate", "jobs/demo", "jobs/commands/simulate")
    )
    if not allowed:
        yield from (f"imports {module}" for module, _ in imports(source) if module.startswith("crawler.testing"))


def libraries_stay_in_their_rooms(path: str, source: str) -> Iterator[str]:
    """Let a library be imported only where it belongs."""
    if in_product(path):
        for module, for_types in imports(source):
            allowed = LIBRARIES.get(module.partition(".")[0])
            if allowed and not for_types and not path.startswith(allowed):
                yield f"imports {module}, which belongs to {', '.join(allowed)}"


def environment_is_read_in_one_place(path: str, source: str) -> Iterator[str]:
    """Let only jobs/wiring.py read the environment."""
    if in_product(path) and path != "jobs/wiring.py":
        yield from (f"reads {found[0]}" for found in re.finditer(r"\bos\.(environ|getenv|putenv)\b", source))


def files_are_short(path: str, source: str) -> Iterator[str]:
    """Keep files readable in one go; the catalogue is a table and may be long."""
    length = source.count("\n")
    most = next(lines for folder, lines in LONGEST_FILE.items() if path.startswith(folder))
    if length > most and path != "crawler/columns.py":
        yield f"has {length} lines, {most} are allowed"


def functions_are_short(path: str, source: str) -> Iterator[str]:
    """Keep functions short and their parameters few; a command has a parameter for each of its options."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > LONGEST_FUNCTION:
            yield f"{node.name} has {length} lines, {LONGEST_FUNCTION} are allowed"
        given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        count = sum(argument.arg not in ("self", "cls") for argument in given)
        if count > MOST_PARAMETERS and not _is_dictated(node):
            yield f"{node.name} has {count} parameters, {MOST_PARAMETERS} are allowed"


def _is_dictated(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Say whether somebody else fixed the parameters: click, pytest, hypothesis, or the standard library."""
    decorators = " ".join(map(ast.unparse, node.decorator_list))
    return bool(re.search(r"click\.|pytest\.|\bgiven\b", decorators)) or node.name == "_warned"


def names_say_something(path: str, source: str) -> Iterator[str]:
    """Refuse the file names under which anything is put."""
    if path.rpartition("/")[2] in ("utils.py", "util.py", "common.py", "helpers.py", "misc.py"):
        yield "is a name that says nothing"


def errors_are_named(path: str, source: str) -> Iterator[str]:
    """Refuse to catch everything, but where a boundary must; to raise again, under a name or the same, is right."""
    if not in_product(path) or path in CATCH_ALL:
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ExceptHandler):
            kind = ast.unparse(node.type) if node.type else "everything"
            again = isinstance(node.body[-1], ast.Raise)
            if re.search(r"\b(Exception|BaseException|everything)\b", kind) and not again:
                yield f"catches {kind} in line {node.lineno}"


def no_hidden_state(path: str, source: str) -> Iterator[str]:
    """Refuse `global`."""
    if in_product(path):
        yield from ("uses global" for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Global))


def says_what_it_touches(path: str, source: str) -> Iterator[str]:
    """Ask every file's docstring for `Pure.` or `Touches:`."""
    if in_product(path) and not path.endswith("__init__.py"):
        said = ast.get_docstring(ast.parse(source)) or ""
        if not re.search(r"\bPure\b|\bTouches: ", said):
            yield "its docstring says neither Pure nor Touches"


def pure_is_pure(path: str, source: str) -> Iterator[str]:
    """Hold a file that calls itself pure to it: no clock, socket, disk, thread or terminal."""
    tree = ast.parse(source)
    if not in_product(path) or not re.search(r"\bPure\b", ast.get_docstring(tree) or ""):
        return
    for module, for_types in imports(source):
        if module.partition(".")[0] in IMPURE_MODULES and not for_types:
            yield f"is pure and imports {module}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            if name in IMPURE_CALLS:
                yield f"is pure and calls {name} in line {node.lineno}"


def ignores_have_reasons(path: str, source: str) -> Iterator[str]:
    """Ask every silenced complaint of a tool for its code and its reason."""
    for number, line in enumerate(source.splitlines(), start=1):
        found = re.search(r"#\s*(type: ignore|noqa)(?P<code>[\[:] ?[\w, -]+\]?)?(?P<reason>.*)", line)
        if found and '"' not in line[: found.start()] and not (found["code"] and re.search(r"\w{3}", found["reason"])):
            yield f"silences a tool without code or reason in line {number}"


def tests_are_real(path: str, source: str) -> Iterator[str]:
    """Refuse mocks, and tests that do not run; only the search for a peer may skip."""
    if not path.startswith("tests/") or path in ("tests/conftest.py", "tests/house/test_rules.py"):
        return
    for module, _ in imports(source):
        if "mock" in module:
            yield f"imports {module}"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in ("skip", "skipif", "xfail", "importorskip"):
            yield f"uses {ast.unparse(node)} in line {node.lineno}"


RULES: tuple[Rule, ...] = (
    rooms_do_not_mix,
    simulator_stays_outside,
    libraries_stay_in_their_rooms,
    environment_is_read_in_one_place,
    files_are_short,
    functions_are_short,
    names_say_something,
    errors_are_named,
    no_hidden_state,
    says_what_it_touches,
    pure_is_pure,
    ignores_have_reasons,
    tests_are_real,
)
