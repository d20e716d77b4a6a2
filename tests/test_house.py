"""The repository keeps its own rules: layout, size, names, settings, nothing private."""

import ast
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
# Hosts of package registries, in parts: this file must not name them either.
REGISTRIES = (
    ("files", "python" + "hosted"),
    ("pypi", "org"),
    ("registry", "npm" + "js"),
    ("deb", "debian"),
)
APPS = ("accounts", "billing", "logs", "routing")
PACKAGES = (*APPS, "bananarouter")
LINES_MAX = 400
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "services", "exceptions", "misc"}
TOP_LEVEL = {
    ".ci", ".gitignore", "CHANGELOG.md", "Makefile", "README.md", "accounts", "bananarouter",
    "benchmarks", "billing", "deploy", "dev.py", "docs", "locale", "logs", "manage.py",
    "package-lock.json", "package.json", "pyproject.toml", "requirements.lock", "routing",
    "static", "templates", "tests",
}  # fmt: skip
# The hot path answers paid requests: no queue, no pages, no staff, no accounts' web flows.
HOT = (
    "routing.gateway", "routing.relay", "routing.planner", "routing.upstream", "routing.dialects",
    "routing.readers", "billing.leases", "billing.charges", "billing.pricing", "logs.recorder",
    "accounts.keys", "routing.api",
)  # fmt: skip
NOT_HOT = (
    "celery", "allauth", "django.template", "django.shortcuts", "django.contrib.admin",
    "django.contrib.sessions", "bananarouter",
)  # fmt: skip


def tracked() -> list[Path]:
    """Every file that git holds or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode == 0:
        names = listed.stdout.splitlines()
        return [ROOT / name for name in names if (ROOT / name).is_file()]
    # A copy without git: everything but what tools make.
    made = {".venv", ".data", "__pycache__", "node_modules", "staticfiles"}
    return [
        path for path in ROOT.rglob("*")
        if path.is_file() and not made & set(path.relative_to(ROOT).parts)
        and not any(part.endswith("_cache") for part in path.relative_to(ROOT).parts)
    ]  # fmt: skip


FILES = tracked()
NAMES = {path: path.relative_to(ROOT).as_posix() for path in FILES}
PYTHON = [path for path in FILES if path.suffix == ".py"]
OURS = [path for path in PYTHON if NAMES[path].split("/")[0] in PACKAGES]


def modules(paths: list[Path]) -> dict[str, Path]:
    found = {}
    for path in paths:
        name = NAMES[path].removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        found[name] = path
    return found


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def imported(path: Path) -> Iterator[str]:
    """Dotted names that a file imports, `from a import b` as both `a` and `a.b`."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_top_level_is_the_given_one():
    found = {name.split("/")[0] for name in NAMES.values()}
    assert found <= TOP_LEVEL, f"unexpected: {sorted(found - TOP_LEVEL)}"


def test_there_are_four_apps():
    apps = {NAMES[path].split("/")[0] for path in OURS if path.name == "apps.py"}
    assert apps == {*APPS, "bananarouter"}
    for app in APPS:
        for part in ("admin.py", "migrations/0001_initial.py"):
            assert (ROOT / app / part).is_file(), f"{app}/{part} is missing"
        models = (ROOT / app / "models.py", ROOT / app / "models" / "__init__.py")
        assert any(path.is_file() for path in models), f"{app} has no models"


def test_no_module_is_two():
    long = {
        NAMES[path]: lines
        for path in OURS
        if "/migrations/" not in NAMES[path]
        and (lines := len(path.read_text().splitlines())) > LINES_MAX
    }
    assert not long, f"more than {LINES_MAX} lines: split them: {long}"


def test_names_are_domain_nouns():
    wrong = [NAMES[path] for path in PYTHON if path.stem in FORBIDDEN_NAMES]
    wrong += [NAMES[path] for path in OURS if set(NAMES[path].split("/")) & FORBIDDEN_NAMES]
    assert not wrong, f"a file's name says what is in it: {wrong}"


def test_every_import_is_absolute():
    wrong = [
        NAMES[path]
        for path in PYTHON
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not wrong


def test_every_module_of_an_app_has_its_place_in_the_contracts():
    """import-linter's exhaustive layers refuse a module that no layer names: keep them so."""
    text = (ROOT / "pyproject.toml").read_text()
    for app in APPS:
        part = text.split(f'containers = ["{app}"]', 1)
        assert len(part) == 2, f"no layers for {app}"
        assert part[1].lstrip().startswith("exhaustive = true")


def _reached(start: str, known: dict[str, Path]) -> dict[str, list[str]]:
    """First-party modules reached from `start`, each with the way there."""
    ways = {name: [name] for name in known if name == start or name.startswith(f"{start}.")}
    queue = list(ways)
    while queue:
        name = queue.pop()
        for target in imported(known[name]):
            if target in known and target not in ways:
                ways[target] = [*ways[name], target]
                queue.append(target)
    return ways


@pytest.mark.parametrize("start", HOT)
def test_the_hot_path_reaches_nothing_slow(start):
    known = modules(OURS)
    ways = _reached(start, known)
    assert ways, f"{start} does not exist: was it renamed?"
    wrong = [
        " -> ".join([*way, target])
        for name, way in ways.items()
        for target in imported(known[name])
        if target.startswith(NOT_HOT) or ".admin" in f".{target}"
    ]
    assert not wrong, "\n".join(sorted(set(wrong)))


def test_apps_do_not_signal_each_other():
    wrong = [
        NAMES[path]
        for path in OURS
        if any(name.startswith("django.dispatch") for name in imported(path))
    ]
    assert not wrong, f"call the operation: {wrong}"


# Built from parts, so that this file does not contain what it looks for.
FORBIDDEN_TEXT = {
    "a machine's path": re.compile(r"(?<![\w.<{])/(?:work|tmp/w|root|home/\w+|Users/\w+)/"),
    "a registry's address": re.compile(
        "|".join(
            [*(r"\.".join(parts) for parts in REGISTRIES), "index" + "-url", "arti" + "factory"]
        )
    ),
    "a promise to do it later": re.compile("TO" + r"DO\b|FIX" + r"ME\b|\bX" + r"XX\b"),
    "a private key": re.compile("BEGIN [A-Z ]*PRIVATE" + " KEY"),
    "one of our keys": re.compile(r"bnr_(?:live|test)_[0-9A-Za-z]{30,}"),
    "a vendor's key": re.compile(
        r"\bsk-(?:proj|ant|or)-[\w-]{24,}|\bAIza[\w-]{35}\b|\bgsk_\w{40,}"
    ),
}
BINARY = {".woff2", ".png", ".ico", ".jpg", ".pdf", ".gz", ".zst", ".ttf", ".webp"}


@pytest.mark.parametrize("what", FORBIDDEN_TEXT)
def test_no_file_contains(what):
    wrong = []
    for path in FILES:
        if path.suffix in BINARY or NAMES[path] == "tests/test_house.py":
            continue
        text = path.read_text(errors="replace")
        wrong += [
            f"{NAMES[path]}:{text[: match.start()].count(chr(10)) + 1}: {match.group()[:40]}"
            for match in FORBIDDEN_TEXT[what].finditer(text)
        ]
    assert not wrong, f"{what}: {wrong[:20]}"


def test_no_cache_secret_or_database_is_committed():
    wrong = [
        name
        for name in NAMES.values()
        if re.search(
            r"(^|/)(__pycache__|\.venv|\.data|node_modules|\.[a-z]+_cache|\.env|secrets)(/|$)"
            r"|\.(pyc|sqlite3|pem|key|log|rdb|aof)$",
            name,
        )
    ]
    assert not wrong


def test_the_lock_names_no_host():
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    assert "--hash=sha256:" in lock


def _variables() -> dict[str, str]:
    """Environment variables that settings and other modules of the root read: name -> default."""
    found = {}
    for name in ("settings", "observability", "secret_files", "supervisor"):
        path = ROOT / "bananarouter" / f"{name}.py"
        for node in ast.walk(parsed(path)):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "env"
                and node.args
                and isinstance(node.args[0], ast.Constant)
            ):
                found[str(node.args[0].value)] = node.func.attr
    return found


def _documented() -> dict[str, list[str]]:
    rows = {}
    for line in (ROOT / "docs" / "settings.md").read_text().splitlines():
        if match := re.match(r"\| `([A-Z0-9_]+)` \|", line):
            rows[match.group(1)] = [cell.strip() for cell in line.strip("|").split("|")]
    return rows


def test_every_setting_is_documented_and_none_is_invented():
    used = set(_variables()) | {"DATA_DIR"}
    documented = set(_documented())
    assert used - documented == set(), "add a row to docs/settings.md"
    assert documented - used - _read_elsewhere() == set(), "docs/settings.md names what none reads"


def _read_elsewhere() -> set[str]:
    """Variables that other modules read through env: their names stand there as text."""
    names = set()
    for path in OURS:
        names |= set(re.findall(r'"([A-Z][A-Z0-9_]{3,})"', path.read_text()))
    return names


def test_the_documented_defaults_are_the_real_ones():
    """Numbers and plain texts; what depends on the machine is described in words."""
    wrong = []
    for node in ast.walk(parsed(ROOT / "bananarouter" / "settings.py")):
        if not (
            isinstance(node, ast.Call) and ast.unparse(node.func) in {"env.number", "env.text"}
        ):
            continue
        name = ast.literal_eval(node.args[0])
        default = _value(node.args[1]) if len(node.args) > 1 else ""
        shown = _documented()[name][1].strip("`").replace(" ", "").replace(",", "")
        if isinstance(default, int) and shown != str(default):
            wrong.append((name, default, shown))
        if isinstance(default, str) and default and default.replace(" ", "") != shown:
            wrong.append((name, default, shown))
    assert not wrong


def _value(node: ast.expr) -> int | str:
    """A default: a constant, or arithmetic of constants such as 32 << 20."""
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left), _value(node.right)
        assert isinstance(left, int)
        assert isinstance(right, int)
        return left << right if isinstance(node.op, ast.LShift) else left * right
    return ast.literal_eval(node)


def test_the_environment_has_one_reader():
    allowed = {
        "bananarouter/env.py",
        "bananarouter/asgi.py",  # names the settings module, as Django's own template does
    }
    wrong = [
        NAMES[path]
        for path in OURS
        if NAMES[path] not in allowed
        and any(
            isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.getenv"}
            for node in ast.walk(parsed(path))
        )
    ]
    assert not wrong


def test_decision_records_are_numbered_and_listed():
    folder = ROOT / "docs" / "adr"
    records = sorted(path.name for path in folder.glob("[0-9]*.md"))
    numbers = [int(name[:4]) for name in records]
    assert numbers == list(range(1, len(records) + 1))
    index = (folder / "README.md").read_text()
    assert [name for name in records if f"({name})" not in index] == []
    for name in records:
        text = (folder / name).read_text()
        assert re.match(rf"# {int(name[:4])}\. ", text), f"{name}: first line is `# N. Title`"
        for part in ("Status:", "## Context", "## Decision", "## Consequences"):
            assert part in text, f"{name} lacks {part}"


def test_scripts_can_be_run():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert os.access(ROOT / "manage.py", os.R_OK)


# What a test file may be called beside the module that it tests.
SUBJECTS = {"access", "admin", "axe", "browser", "commands", "migrations", "models", "pages"}


def test_tests_mirror_the_code():
    """tests/<app>/test_<module>[_<part>].py: the name says which module is tested."""
    wrong = []
    for path in PYTHON:
        match = re.fullmatch(r"tests/(\w+)/(\w+/)?test_(\w+)\.py", NAMES[path])
        if not match or match.group(1) not in PACKAGES:
            continue
        if match.group(2) and (ROOT / match.group(1) / match.group(2)).is_dir():
            continue  # the folder says it
        known = {
            part
            for other in OURS
            if NAMES[other].startswith(f"{match.group(1)}/")
            for part in (other.stem, other.parent.name)
        }
        if not any(match.group(3).startswith(name) for name in known | SUBJECTS):
            wrong.append(NAMES[path])
    assert not wrong, f"which module does each of these test? {wrong}"


# Numbers and places (in capitals) may be set smaller.
PATCHES = {"setattr", "delattr", "setitem", "delitem", "patch", "object"}


def _ours(tree: ast.Module) -> set[str]:
    """Names in a test file that stand for modules of ours, or what is in them."""
    found = set(PACKAGES)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            found |= {
                alias.asname or alias.name.split(".")[0]
                for alias in node.names
                if (module or alias.name).split(".")[0] in PACKAGES
            }
    return found


def replaced(text: str) -> set[str]:
    """Return what of our code a test file replaces: functions, classes, objects; no constants."""
    tree = ast.parse(text)
    ours = _ours(tree)
    found = set()
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        place = ast.unparse(node.args[0]).strip("'\"")
        if node.func.attr not in PATCHES or place.split(".")[0] not in ours:
            continue
        is_path = isinstance(node.args[0], ast.Constant)  # "billing.ledger.post"
        name = place.rpartition(".")[2] if is_path else ast.unparse(node.args[1]).strip("'\"")
        if not name.isupper():
            found.add(name)
    return found


def test_tests_replace_none_of_our_code():
    """Fake at the socket, the disk, the database: what is replaced is not tested."""
    wrong = {
        NAMES[path]: names
        for path in PYTHON
        if NAMES[path].startswith("tests/") and (names := replaced(path.read_text()))
    }
    assert not wrong


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("monkeypatch.setattr(ledger, 'post', f)", "post"),
        ("monkeypatch.setattr('billing.ledger.post', f)", "post"),
        ("monkeypatch.setattr(ledger, name, f)", "name"),
        ("mock.patch('billing.ledger.post')", "post"),
        ("mock.patch.object(ledger, 'post')", "post"),
        ("monkeypatch.setattr(ledger, 'ROWS_MAX', 3)", ""),
        ("monkeypatch.setattr(socket, 'create_connection', f)", ""),
    ],
)
def test_what_replaces_our_code_is_found(line, name):
    assert replaced(f"import socket\nfrom billing import ledger\n{line}\n") == ({name} - {""})
