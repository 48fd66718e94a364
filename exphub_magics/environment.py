"""What ran: commit, packages, Python, platform; no person, no key, no path."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from typing import Any

PACKAGES = ("exphub", "ipython", "openai", "pandas", "plotly", "scipy", "sqlite-utils", "statsmodels")
GIT_SECONDS = 10  # a repository that takes longer is described without its commit


def describe() -> dict[str, Any]:
    """The environment as each experiment records it.

    >>> sorted(describe())
    ['exphub', 'git_commit', 'git_dirty', 'packages', 'platform', 'python']
    """
    commit = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain")
    return {
        "exphub": metadata.version("exphub"),
        "git_commit": commit,
        "git_dirty": None if commit is None or changed is None else bool(changed),
        "packages": {name: _version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }


def author() -> str | None:
    """Who runs experiments here, as git knows them; None where it does not."""
    return _git("config", "user.name")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    """What git answers, or None where there is no git or no repository."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed words
            ("git", *arguments),  # noqa: S607 - whatever git the user has
            capture_output=True,
            encoding="utf-8",
            errors="replace",  # a name or a file name need not be UTF-8
            timeout=GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
