"""What a machine can say of the house: layers, tables, files that have to be in step."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "exphub_magics"
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))


def test_each_module_has_its_test_file():
    exempt = {"__init__", "__main__", "browsing", "sql"}  # which hold no code of their own
    exempt |= {"changes"}  # a part of a card: test_cards.py
    apart = {"hub", "sample", "widgets"}  # tested by what they are for
    parts = {path.relative_to(PACKAGE).parts for path in MODULES}
    named = {name.removesuffix(".py") for first, *rest in parts if first not in apart for name in (first, *rest)}
    missing = [name for name in named - exempt if not (ROOT / "tests" / f"test_{name}.py").exists()]
    assert missing == []


def test_no_test_replaces_what_it_tests():
    own = [
        path
        for path in (ROOT / "tests").rglob("*.py")
        if re.search(r"^\s*(import|from) (unittest\.)?mock", path.read_text(), re.MULTILINE)
    ]
    assert [path.name for path in own] == []
    assert [
        path.name
        for path in (ROOT / "tests").rglob("*.py")
        if "unittest" in path.read_text() and path.name != "test_architecture.py"
    ] == []


def test_no_statement_is_built_in_python():
    keywords = re.compile(r"\b(SELECT .* FROM|INSERT INTO|UPDATE .* SET|DELETE FROM)\b")
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not keywords.search(node.value), f"{path.name}:{node.lineno}"


def test_every_statement_is_used():
    used = "\n".join(path.read_text() for path in MODULES)
    assert [path.stem for path in (PACKAGE / "sql").glob("*.sql") if f'"{path.stem}"' not in used] == []


def test_conda_users_get_the_same_package():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    (extras,) = re.findall(r"--editable \.\[(.*)\]", pip[0])
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    lowest = project["requires-python"].removeprefix(">=")
    assert f"python={lowest}" in environment["dependencies"]
    assert environment["name"] == project["name"]


def test_what_the_readme_generates_is_what_it_says():
    command = [sys.executable, "-m", "cogapp", "--check", "--diff", "-I", "tests", "README.md"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"make readme\n{done.stdout}"


def test_the_readme_links_nothing_that_is_not_there():
    readme = (ROOT / "README.md").read_text()
    links = [link for link in re.findall(r"\]\(([^)]+)\)", readme) if not link.startswith("http")]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_nothing_names_a_machine_or_a_key():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    private = re.compile(r"/(root|work)/|sk-[A-Za-z0-9_-]{20,}")
    found = [
        name
        for name in listed.split("\0")
        if name
        and name != "tests/test_architecture.py"
        and (ROOT / name).exists()
        and private.search((ROOT / name).read_bytes().decode("utf-8", "replace"))
    ]
    assert found == []
