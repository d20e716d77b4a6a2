"""The documents tell the truth about the code: commands, codes, routes, files, links."""

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from django.core.management import get_commands
from django.urls import get_resolver

from routing.error_codes import Code
from tests.programs import test_claude_code
from tests.test_house import FILES, NAMES, PACKAGES, ROOT

# The guide is for users, and has tests of its own (tests/bananarouter/guide).
PAGES = {
    NAMES[path]: path.read_text()
    for path in FILES
    if path.suffix == ".md" and not NAMES[path].startswith("docs/guide/")
}
README_LINES_MAX = 110


def _dev():
    spec = importlib.util.spec_from_file_location("dev", ROOT / "dev.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _mentions(pattern: str) -> list[tuple[str, str]]:
    """Every match of the first group, with its page."""
    return [(page, found) for page, text in PAGES.items() for found in re.findall(pattern, text)]


PAGES_NEEDED = (
    "README.md",
    "CHANGELOG.md",
    "docs/architecture.md",
    "docs/channels.md",
    "docs/clients.md",
    "docs/settings.md",
    "docs/reliability.md",
    "docs/wire.md",
    "docs/traps.md",
)


@pytest.mark.parametrize("page", PAGES_NEEDED)
def test_the_page_exists(page):
    assert page in PAGES


def test_the_readme_is_one_page():
    assert len(PAGES["README.md"].splitlines()) <= README_LINES_MAX


def test_the_jobs_of_dev_py_that_pages_name_exist():
    jobs = set(re.findall(r"^ *python3 dev\.py (\w+)", _dev().__doc__, re.MULTILINE))
    named = _mentions(r"python3 dev\.py (\w+)")
    assert {job for _, job in named} >= {"run", "test", "check", "bench", "proof"}
    assert [found for found in named if found[1] not in jobs] == []
    help_text = subprocess.run(
        [sys.executable, "dev.py", "no-such-job"], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert help_text.returncode == 2
    for job in jobs:
        assert f"dev.py {job}" in help_text.stderr


def _own_commands() -> set[str]:
    return {name for name, app in get_commands().items() if str(app) in PACKAGES}


def test_every_command_of_ours_is_documented():
    for name in _own_commands():
        assert _mentions(rf"manage\.py ({name})\b"), f"no page shows `manage.py {name}`"


def test_the_commands_that_pages_name_exist():
    wrong = [found for found in _mentions(r"manage\.py (\w+)") if found[1] not in get_commands()]
    assert not wrong


def test_the_options_that_pages_give_to_our_commands_exist():
    """`manage.py create_key --email E --credit-usd N`: each option is one that it takes."""
    sources = {
        path.stem: path.read_text() for path in FILES if "/management/commands/" in str(path)
    }
    common = {"--data-dir", "--settings", "--verbosity", "--help"}
    for page, line in _mentions(r"(manage\.py \w+ --[^\n`|]*)"):
        name = line.split()[1]
        if name in _own_commands():
            for option in set(re.findall(r"--[a-z-]+", line)) - common:
                assert f'"{option}"' in sources[name], f"{page}: {name} has no {option}"


def test_every_error_code_is_documented():
    page = PAGES["docs/wire.md"]
    assert [code.value for code in Code if f"`{code.value}`" not in page] == []


def test_every_route_of_the_api_is_documented():
    page = PAGES["docs/wire.md"]
    missing = []
    for pattern in get_resolver("routing.urls").url_patterns:
        # The fixed beginning and, for Gemini, the operation behind the colon.
        route = str(pattern.pattern).replace("(?:beta)?", "beta").strip("^$")
        fixed, *_ = re.split(r"[<(]", route)
        operation = route.rpartition(":")[2] if ":" in route else ""
        if f"/{fixed}".rstrip("/") not in page or operation.isalpha() * operation not in page:
            missing.append(route)
    assert not missing


def test_every_vendor_is_listed_as_its_file_says():
    wanted = set()
    for path in (ROOT / "routing" / "vendors").glob("*.toml"):
        told = tomllib.loads(path.read_text())
        cells = [f"`{path.stem}`", told["name"], ", ".join(told["families"])]
        cells += [told["jurisdiction"], told["data"]["trains"]]
        wanted.add(f"| {' | '.join(cells)} |")
    listed = set(re.findall(r"^\| `.*\|$", PAGES["docs/channels.md"], re.MULTILINE))
    assert listed == wanted


def test_the_files_that_pages_name_exist():
    pattern = (
        r"`((?:accounts|bananarouter|billing|logs|routing|tests|benchmarks|docs|deploy)/[\w./-]+)`"
    )
    wrong = [
        (page, name)
        for page, name in _mentions(pattern)
        if not (ROOT / name).exists() and not (ROOT / name.rpartition("/")[0]).is_file()
    ]
    assert not wrong


_SHORT = {
    "B": "tests/routing/readers",
    "T": "tests/routing/translators",
    "C": "tests/routing/translators/openai_chat",
    "R": "tests/routing/translators/openai_responses",
    "A": "tests/routing/translators/anthropic_messages",
    "G": "tests/routing/translators/gemini_generate",
}


def test_every_trap_has_tests_that_exist():
    rows = re.findall(r"^\| (?!trap |---)(.+?) \| (.+) \|$", PAGES["docs/traps.md"], re.MULTILINE)
    assert len(rows) > 30
    wrong = []
    for trap, cell in rows:
        named = re.findall(r"`([\w/]+)/(\w+\.py)::(test_\w+)`", cell)
        assert named, f"no test springs this trap: {trap}"
        assert cell.count("`") == 2 * len(named), f"not the name of a test: {trap}"
        for folder, file, test in named:
            path = ROOT / _SHORT.get(folder, folder) / file
            if not path.is_file() or f"def {test}(" not in path.read_text():
                wrong.append((trap, file, test))
    assert not wrong


def test_the_environment_variables_that_pages_set_exist():
    documented = set(re.findall(r"^\| `([A-Z0-9_]+)` \|", PAGES["docs/settings.md"], re.MULTILINE))
    ours = documented | {"OPENAI_BASE_URL", "CI"} | set(test_claude_code.VARIABLES)
    wrong = [
        (page, name)
        for page, name in _mentions(r"\b([A-Z][A-Z0-9_]{3,})=")
        if name not in ours and not name.startswith("TEST_") and not name.endswith("_FILE")
    ]
    assert not wrong


def _anchors(path: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", head.lower()) for head in heads]
    return {head.strip().replace(" ", "-") for head in plain}


def test_links_within_the_repository_lead_somewhere():
    wrong = []
    for page, text in PAGES.items():
        folder = (ROOT / page).parent
        for target in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", text):
            name, _, anchor = target.partition("#")
            path = (folder / name).resolve() if name else ROOT / page
            is_page = path.suffix == ".md" and path.is_file()
            if not path.exists() or (anchor and is_page and anchor not in _anchors(path)):
                wrong.append((page, target))
    assert not wrong


def test_python_in_pages_can_be_read():
    for page, block in _mentions(r"```python\n([\s\S]*?)```"):
        try:
            ast.parse(block)
        except SyntaxError as error:
            pytest.fail(f"{page}: {error}")


def test_pages_contain_no_machine_and_no_leftovers():
    """The rest of this rule stands in test_house; here is what only prose can do wrong."""
    wrong = _mentions(r"(?i)\b(lorem ipsum|coming soon|tbd|work in progress)\b")
    assert not wrong


def test_the_changelog_begins_with_what_is_not_released():
    heads = re.findall(r"^## (.+)$", PAGES["CHANGELOG.md"], re.MULTILINE)
    assert heads
    assert heads[0] == "Unreleased"
