import getpass
import json
import os
import platform
import shutil
import socket
import subprocess
from importlib import metadata

import pytest

from exphub_magics import environment


@pytest.fixture(autouse=True)
def own_git(monkeypatch, tmp_path):
    """Git knows nothing but what a test tells it."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))


def git(*arguments):
    who = ("-c", "user.name=Canary Person", "-c", "user.email=canary@example.org")
    done = subprocess.run(["git", *who, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    git("init", "--quiet")
    (tmp_path / "prompt.txt").write_text("Is it?")
    git("add", "prompt.txt")
    git("commit", "--quiet", "-m", "first")
    return tmp_path


def commit_and_dirt():
    said = environment.describe()
    return said["git_commit"], said["git_dirty"]


def test_the_commit_is_kept_and_whether_anything_differs_from_it(repository):
    head = git("rev-parse", "HEAD")
    assert commit_and_dirt() == (head, False)
    (repository / "new.txt").write_text("")
    assert commit_and_dirt() == (head, True)
    (repository / "new.txt").unlink()
    (repository / "prompt.txt").write_text("Is it so?")
    assert commit_and_dirt() == (head, True)


def test_a_repository_without_a_commit_has_neither_commit_nor_dirt(tmp_path):
    git("init", "--quiet")
    assert commit_and_dirt() == (None, None)


def test_a_folder_under_no_version_control_is_neither_clean_nor_dirty():
    assert commit_and_dirt() == (None, None)


def test_a_machine_without_git_is_described_too(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert commit_and_dirt() == (None, None)
    assert environment.author() is None
    assert environment.describe()["python"] == platform.python_version()


def test_the_packages_are_those_installed_and_one_that_is_not_is_none(monkeypatch):
    assert environment.describe()["packages"]["pandas"] == metadata.version("pandas")
    assert environment.describe()["exphub"] == metadata.version("exphub")
    assert None not in environment.describe()["packages"].values()
    monkeypatch.setattr(environment, "PACKAGES", ("pandas", "a-package-that-nobody-has"))
    assert environment.describe()["packages"] == {
        "pandas": metadata.version("pandas"),
        "a-package-that-nobody-has": None,
    }


def test_what_is_recorded_names_no_person_machine_or_folder(repository, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "canary-key")
    git("config", "user.name", "Canary Person")
    said = json.dumps(environment.describe())
    for private in ("anary", "/", "\\", "prompt.txt", f'"{getpass.getuser()}"', f'"{socket.gethostname()}"'):
        assert private not in said


def test_the_author_is_who_git_says_or_nobody(repository):
    assert environment.author() is None
    git("config", "user.name", "  Zoë Ångström ")
    assert environment.author() == "Zoë Ångström"


def test_a_name_that_is_no_utf_8_stops_nothing(tmp_path, repository):
    (tmp_path / ".git" / "config").write_bytes(b"[user]\n\tname = Ren\xe9e\n")
    assert environment.author() == "Ren\N{REPLACEMENT CHARACTER}e"


@pytest.mark.skipif(shutil.which("sh") is None, reason="the stand-in for git is a shell script")
def test_a_git_that_hangs_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "GIT_SECONDS", 0.05)
    stand_in = tmp_path / "bin" / "git"
    stand_in.parent.mkdir()
    stand_in.write_text("#!/bin/sh\nexec sleep 20\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", str(stand_in.parent), prepend=os.pathsep)
    assert commit_and_dirt() == (None, None)
