"""Takes the documentation's pictures from a running demo: ``make pictures`` while ``make demo`` runs."""

from __future__ import annotations

import json
import os
from pathlib import Path

from playwright.sync_api import sync_playwright

from biasgov import local
from tests.browser.install import installed

HERE = Path(__file__).resolve().parent
PICTURES = {
    "inbox": ("/", "light", 1280),
    "model": ("/models/security-triage/?metric=equalised_odds&window=7d", "light", 1280),
    "model-dark": ("/models/recidivism/?metric=equalised_odds&window=30d", "dark", 1280),
    "health": ("/health/", "light", 1280),
    "model-phone": ("/models/security-triage/", "light", 390),
}


def main() -> None:
    password = json.loads((local.home() / "demo.json").read_text())["password"]
    address = f"http://localhost:{os.environ.get('PORT', '8000')}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed(), args=["--no-sandbox"])
        for name, (path, scheme, width) in PICTURES.items():
            page = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 960}).new_page()
            page.goto(f"{address}/sign-in/?next={path.replace('&', '%26').replace('?', '%3F')}")
            page.fill("[name=username]", "ines")
            page.fill("[name=password]", password)
            page.click("button[type=submit]")
            page.wait_for_load_state("networkidle")
            page.wait_for_timeout(800)
            page.screenshot(path=HERE / f"{name}.png")
            print(f"docs/pictures/{name}.png")  # noqa: T201
        browser.close()


if __name__ == "__main__":
    main()
