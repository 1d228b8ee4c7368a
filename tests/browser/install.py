"""Gets the browser that the tests need, if there is none: `python -m tests.browser.install`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

CANDIDATES = ("chromium", "chromium-browser", "google-chrome")


def installed() -> str | None:
    """The path of a browser: the system's, else the one that Playwright downloaded; None without any."""
    found = next(filter(None, map(shutil.which, CANDIDATES)), None)
    if found:
        return found
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def install() -> None:
    """Debian's package for root, Playwright's own download for everybody else; raises CalledProcessError."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-dejavu-core"]
        subprocess.run(command, check=True, env=environment)
    else:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)


def main() -> None:
    if installed():
        return
    print("The tests need a browser: installing Chromium ...", flush=True)  # noqa: T201
    try:
        install()
    except (subprocess.CalledProcessError, OSError) as error:
        sys.exit(f"Chromium could not be installed ({error}). Install it yourself, then run `make test` again.")
    if not installed():
        sys.exit("Chromium was installed but is not found. Put `chromium` on the PATH, then run `make test` again.")


if __name__ == "__main__":
    main()
