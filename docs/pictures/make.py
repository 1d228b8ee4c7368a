"""Takes the documentation's pictures from a running demo: ``make pictures`` while ``make demo`` runs.

Each picture is what one person of the demo sees on one page. Pages whose numbers differ from demo to demo are reached
as people reach them, by following links. ``make pictures ARGS="tour/officer"`` takes those whose names begin so.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from biasgov import local
from tests.browser.install import installed

HERE = Path(__file__).resolve().parent
COLOURS = 128
"""Of a picture: enough for pages of text and few areas, and a third of the size."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A page as `person` sees it.

    follow: links on the way there from `path`, as CSS selectors. top: what stands at the upper edge of the picture, as
    a CSS selector; "" for the beginning of the page.
    """

    person: str
    path: str
    follow: tuple[str, ...] = ()
    top: str = ""
    scheme: str = "light"
    width: int = 1280
    height: int = 800


PICTURES: Mapping[str, Picture] = {
    "inbox": Picture("ines", "/", height=960),
    "model": Picture("ines", "/models/security-triage/?metric=equalised_odds&window=7d", height=960),
    "model-dark": Picture("ines", "/models/recidivism/?metric=equalised_odds&window=30d", scheme="dark", height=960),
    "health": Picture("ines", "/health/", height=960),
    "model-phone": Picture("ines", "/models/security-triage/", width=390, height=960),
    "tour/officer-inbox": Picture("ines", "/"),
    "tour/officer-model": Picture("ines", "/models/security-triage/?metric=equalised_odds&window=7d", height=900),
    "tour/officer-response": Picture("ines", "/models/security-triage/", top="#response", height=640),
    "tour/officer-incident": Picture("ines", "/incidents/?model=security-triage", ("a:has-text('Critical reports')",)),
    "tour/compliance-inbox": Picture("carla", "/", height=560),
    "tour/compliance-proposal": Picture("carla", "/thresholds/", ("a:has-text('Back to a wider')",)),
    "tour/compliance-register": Picture("carla", "/thresholds/"),
    "tour/compliance-complaint": Picture("carla", "/complaints/", ("tbody a",), height=640),
    "tour/board-inbox": Picture("noor", "/", height=560),
    "tour/board-case": Picture("noor", "/board/?show=all", ("a:has-text('Lift the')",)),
    "tour/board-minutes": Picture("noor", "/board/?show=all", ("a:has-text('Lift the')", "a:has-text('Minutes')")),
    "tour/owner-inbox": Picture("omar", "/"),
    "tour/owner-rejected": Picture(
        "omar",
        "/approvals/?show=all",
        ("a:has-text('Fewer alerts')",),
        top="section[aria-labelledby='discussion-title']",
        height=560,
    ),
    "tour/owner-actions": Picture(
        "omar", "/incidents/?model=security-triage", ("a:has-text('Critical reports')",), top="#actions", height=640
    ),
    "tour/steward-vault": Picture("dana", "/vault/"),
    "tour/steward-uploads": Picture("dana", "/vault/uploads/", height=560),
    "tour/steward-access": Picture("dana", "/vault/access/", ("a:has-text('See the attributes')",), height=560),
    "tour/auditor-log": Picture("aude", "/audit/?text=restriction"),
    "tour/auditor-entry": Picture("aude", "/audit/?kind=restriction.lifted", ("td.right a",), height=640),
    "tour/auditor-run": Picture("aude", "/models/security-triage/", ("a[href^='/runs/']",)),
    "tour/administrator-people": Picture("petra", "/people/"),
    "tour/administrator-permissions": Picture("petra", "/permissions/"),
    "tour/administrator-tokens": Picture("petra", "/tokens/", height=480),
    "tour/engineer-model": Picture(
        "omar", "/models/security-triage/?metric=equalised_odds&window=7d", top="#panel", height=680
    ),
}
GATE = "tour/engineer-gate"
"""Of the gate's report, which is a file and no page of the demo."""


def main() -> None:
    wanted = sys.argv[1:] or [""]
    password = json.loads((local.home() / "demo.json").read_text())["password"]
    address = f"http://localhost:{os.environ.get('PORT', '8000')}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed(), args=["--no-sandbox"])
        for name, picture in PICTURES.items():
            if any(name.startswith(each) for each in wanted):
                page = _signed_in(browser, picture, address, password)
                _walk(page, picture)
                _take(page, name)
                page.context.close()
        if any(GATE.startswith(each) for each in wanted):
            _take_gate(browser)
        browser.close()


def _signed_in(browser: Browser, picture: Picture, address: str, password: str) -> Page:
    size = {"width": picture.width, "height": picture.height}
    page = browser.new_context(color_scheme=picture.scheme, viewport=size, timezone_id="UTC").new_page()
    page.goto(f"{address}/sign-in/?next={quote(picture.path)}")
    page.fill("[name=username]", picture.person)
    page.fill("[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_load_state("networkidle")
    return page


def _walk(page: Page, picture: Picture) -> None:
    for link in picture.follow:
        page.locator(f"main {link}").first.click()
        page.wait_for_load_state("networkidle")
    page.wait_for_timeout(800)
    if picture.top:
        page.locator(picture.top).first.evaluate(
            "element => window.scrollBy(0, element.getBoundingClientRect().top - 20)"
        )
        page.wait_for_timeout(300)


def _take(page: Page, name: str) -> None:
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    target = HERE / f"{name}.png"
    target.parent.mkdir(exist_ok=True)
    shot.quantize(COLOURS, dither=Image.Dither.NONE).save(target, optimize=True)
    print(f"docs/pictures/{name}.png  {target.stat().st_size // 1024} kB")  # noqa: T201


def _take_gate(browser: Browser) -> None:
    from docs.pictures.gate import report

    with tempfile.TemporaryDirectory() as folder:
        page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
        page.goto(report(Path(folder)).as_uri())
        _take(page, GATE)
        page.context.close()


if __name__ == "__main__":
    main()
