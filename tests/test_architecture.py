"""What a machine can say of the house: layers, tables, files that have to be in step."""

import ast
import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "exphub_magics"
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))


def test_each_module_has_its_test_file():
    exempt = {"__init__", "__main__", "errors", "markup", "questions", "environment", "widgets"}
    missing = [
        path.stem
        for path in PACKAGE.glob("*.py")
        if path.stem not in exempt and not (ROOT / "tests" / f"test_{path.stem}.py").exists()
    ]
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


def test_the_readme_says_what_is_stored_and_which_verbs_there_are():
    readme = (ROOT / "README.md").read_text()
    from exphub_magics.cli import cli  # noqa: PLC0415 - the heavy import of this test alone

    for name in re.findall(r"CREATE TABLE (\w+)", (PACKAGE / "sql" / "schema.sql").read_text()):
        assert f"`{name}`" in readme
    for verb in cli.commands:
        assert f"`{verb}`" in readme or f"exphub {verb}" in readme
