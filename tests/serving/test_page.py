"""The page in a real browser, on a generated survey: open, predict, paint, adapt, download."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Page, Route

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no chromium: apt-get install chromium, or set CHROMIUM"
    ),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from tests.adaptation.made_block import write_block
    from tests.helpers.tiny import small_bundle

    folder = tmp_path_factory.mktemp("page")
    block = write_block(folder)
    model = small_bundle(folder / "model").path
    command = [sys.executable, "-m", "diapir", "serve", str(model), str(block)]
    command += ["--port", "0", "--out", str(folder / "out"), "--threads", "1"]
    command += ["--upload-mb", "3"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    found = re.search(r"http://\S+", process.stdout.readline())
    assert found
    yield found[0]
    process.terminate()
    process.wait(60)
    process.stdout.close()


@pytest.fixture(scope="module")
def page(address: str) -> Iterator[Page]:
    from playwright.sync_api import sync_playwright

    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if is_fault(said) else None)
        page.goto(address)
        page.wait_for_selector("html[data-ready=yes]")
        yield page
        browser.close()
    assert faults == []


def is_fault(said: ConsoleMessage) -> bool:
    """Whether the browser complains of more than a file that the service refuses."""
    return said.type == "error" and not re.search(r"status of 4(12|22)|ERR_FAILED", said.text)


def until(page: Page, condition: str, seconds: float = 30) -> None:
    """Wait for a condition; `wait_for_function` would need `eval`, which the page forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(f"() => {condition}"):
        assert time.monotonic() < end, condition
        time.sleep(0.05)


def pixels(page: Page) -> str:
    """A hash of what the canvas shows."""
    frames = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    script = """() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => {
        const canvas = document.getElementById('view');
        const values = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        let sum = 0;
        for (let i = 0; i < values.length; i += 7) sum = (sum * 31 + values[i]) | 0;
        done(String(sum));
    })))"""
    page.evaluate(f"() => {frames}")
    until(page, "document.getElementById('view').getAttribute('aria-busy') === 'false'")
    until(page, "!document.getElementById('state').classList.contains('shown')")
    return str(page.evaluate(script))


def test_the_survey_is_open_and_its_sections_are_paged(page: Page) -> None:
    assert page.inner_text("#file-name") == "block.sgy"
    assert page.input_value("#number") == "107"
    first = pixels(page)
    page.keyboard.press("ArrowRight")
    until(page, "document.getElementById('number').value === '108'")
    assert pixels(page) != first
    page.keyboard.press("ArrowLeft")
    until(page, "document.getElementById('number').value === '107'")
    assert pixels(page) == first  # nothing jumps
    page.fill("#number", "110")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")  # of the section again, not of the number
    until(page, "document.getElementById('number').value === '111'")
    page.fill("#number", "107")
    page.keyboard.press("Enter")
    for axis, number in (("crossline", "359"), ("slice", "76"), ("inline", "107")):
        page.click(f"[data-axis={axis}]")
        until(page, f"document.getElementById('number').value === '{number}'")


@pytest.mark.parametrize(
    ("numbers", "shown", "ticks"),
    [
        ([*range(101, 400, 2)], 1, [121, 161, 201, 241, 281, 321, 361]),
        ([*range(1, 300, 4)], 1, [1, 41, 81, 121, 161, 201, 241, 281]),
        ([*range(400, 99, -1)], 1, [400, 350, 300, 250, 200, 150, 100]),
        ([*range(1, 51), *range(1001, 1051)], 1, [20, 40, 1020, 1040]),
        ([*range(100, 900, 2)], 4, [*range(100, 900, 100)]),
        ([3, 17, 18, 40, 55, 91], 1, [3, 17, 18, 40, 55, 91]),
        ([7], 1, [7]),
    ],
)
def test_ticks_are_at_lines_that_there_are(
    page: Page, numbers: list[int], shown: int, ticks: list[int]
) -> None:
    found = page.evaluate(
        """async ([numbers, shown]) => {
            const { axisOf, stepped, ticks } = await import("/page/view/axes.js");
            const axis = stepped(axisOf(numbers, "inline"), shown);
            return ticks(axis, 0, numbers.length / shown, 8);
        }""",
        [numbers, shown],
    )
    assert [int(text) for _, text in found] == ticks
    assert [numbers[round(column * shown)] for column, _ in found] == ticks


def test_zoom_colours_and_themes_change_the_picture(page: Page) -> None:
    first = pixels(page)
    page.mouse.move(600, 300)
    page.mouse.wheel(0, -400)
    zoomed = pixels(page)
    assert zoomed != first
    page.click("#fit")
    page.mouse.move(5, 5)
    assert pixels(page) == first
    page.select_option("#colours", "rwb")
    assert pixels(page) != first
    page.select_option("#colours", "grey")
    page.click("#theme")
    assert pixels(page) != first
    page.click("#theme")
    assert pixels(page) == first


def test_the_pointer_reads_amplitudes(page: Page) -> None:
    page.mouse.move(600, 300)
    until(page, "document.getElementById('readout').textContent.includes('amplitude')")
    assert re.search(r"crossline\s*3\d\d", page.inner_text("#readout"))
    first = page.inner_text("#readout")
    for key, same in (("ArrowRight", False), ("ArrowLeft", True)):
        page.keyboard.press(key)
        words = json.dumps(first)
        until(
            page,
            f"(document.getElementById('readout').innerText === {words}) === {str(same).lower()}",
        )
        until(page, "document.getElementById('readout').textContent.includes('amplitude')")


def test_a_prediction_and_the_threshold_are_seen(page: Page) -> None:
    first = pixels(page)
    page.click("#predict")
    until(page, "document.getElementById('found').textContent.includes('are salt')")
    predicted = pixels(page)
    assert predicted != first
    page.fill("#threshold", "0.4")
    page.locator("#threshold").dispatch_event("input")
    assert page.inner_text("#threshold-value") == "0.40"
    page.mouse.move(600, 300)
    until(page, "document.getElementById('readout').textContent.includes('probability')")


def paint(page: Page, key: str, places: list[tuple[float, float]]) -> None:
    page.keyboard.press(key)
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()


def test_strokes_are_painted_undone_and_kept(page: Page, address: str) -> None:
    page.click("#view", position={"x": 500, "y": 300})
    before = pixels(page)
    paint(page, "s", [(480, 350), (620, 380)])
    paint(page, "n", [(160, 200), (300, 220)])
    paint(page, "n", [(800, 600), (960, 610)])
    assert page.inner_text("#labelled").split()[:4] == ["inline", "107", "3", "labels"]
    page.keyboard.press("Control+z")
    assert "2 labels" in page.inner_text("#labelled")
    page.keyboard.press("Control+Shift+Z")
    page.keyboard.press("t")
    for place in ((500, 300), (560, 290), (620, 300)):
        page.mouse.click(*place)
    page.keyboard.press("Enter")
    page.keyboard.press("g")
    for place in ((700, 500), (760, 500), (760, 560), (700, 560)):
        page.mouse.click(*place)
    page.keyboard.press("Enter")
    page.keyboard.press("h")
    page.mouse.move(5, 5)
    until(page, "document.getElementById('saved').textContent === 'Saved'")
    assert pixels(page) != before
    data = page.evaluate("location.hash.slice(1).split('/')[0]")
    kept = json.loads(page.request.get(f"{address}api/data/{data}/strokes").text())
    (section,) = kept["sections"]
    assert section["inline"] == 107
    assert len(section["strokes"]) == 6  # three strokes, two bands of top salt, an area
    assert len(section["strokes"][-1]["polygon"]) == 4
    assert {stroke["label"] for stroke in section["strokes"]} == {"salt", "not salt"}
    first = section["strokes"][0]["points"]
    assert 300 <= first[0][0] < first[-1][0] <= 419
    assert 0 <= first[0][1] < first[-1][1] <= 160
    page.reload()
    page.wait_for_selector("html[data-ready=yes]")
    assert "inline" in page.locator("#labelled").text_content()  # type: ignore[operator]
    assert page.input_value("#number") == "107"


def test_a_model_is_adapted_and_used(page: Page) -> None:
    page.click("#tab-label")
    quick = {"steps": 20, "replay_share": 0}

    def quickly(route: Route) -> None:
        asked = json.loads(route.request.post_data or "{}")
        if asked.get("kind") == "adapt":
            assert asked["options"] == {}
            asked["options"] = quick
            route.continue_(post_data=json.dumps(asked))
        else:
            route.continue_()

    page.route("**/api/jobs", quickly)
    page.click("#adapt")
    page.wait_for_selector(".job[data-status=done], .job[data-status=failed]", timeout=120_000)
    card = page.locator(".job").first
    assert card.get_attribute("data-status") == "done", card.inner_text()
    assert "Dice on held-out strokes" in card.inner_text()
    card.get_by_text("Use this model").click()
    page.click("#predict")
    until(page, "document.getElementById('found').textContent.includes('model adapted ')")


def test_a_survey_is_predicted_and_downloaded(page: Page, tmp_path: Path) -> None:
    import segyio

    page.click("#tab-view")
    page.click("#predict-all")
    done = ".job[data-status=done]"
    until(page, f"document.querySelectorAll('{done}').length === 2", 120)
    card = page.locator(done).first
    card.locator("summary").click()
    with page.expect_download() as waiting:
        card.get_by_role("link", name="block_probability.sgy").click()
    waiting.value.save_as(tmp_path / "got.sgy")
    with segyio.open(tmp_path / "got.sgy") as file:
        assert segyio.tools.cube(file).shape == (16, 120, 40)
        assert file.ilines[0] == 100
    page.click("#tab-view")
    page.click("[data-axis=slice]")
    until(page, "document.getElementById('found').textContent.includes('Whole survey')")


def test_horizons_are_extracted_and_seen(page: Page, address: str) -> None:
    import numpy as np

    done = ".job[data-status=done]"
    page.click("[data-axis=inline]")
    page.click("#tab-jobs")
    data = page.evaluate("location.hash.slice(1).split('/')[0]")
    job = page.locator(done).first.get_attribute("data-job")
    tile = page.request.get(f"{address}api/data/{data}/inline/7/tiles/{job}/0/0/0").body()
    middle = float(np.median(np.frombuffer(tile, np.uint8))) / 254  # half of it is salt then

    def with_threshold(route: Route) -> None:
        asked = json.loads(route.request.post_data or "{}")
        if asked.get("kind") != "products":
            return route.continue_()
        asked["options"]["threshold"] = middle
        return route.continue_(post_data=json.dumps(asked))

    page.unroute("**/api/jobs")
    page.route("**/api/jobs", with_threshold)
    page.locator(".job").first.get_by_text("Horizons and bodies").click()
    until(page, f"document.querySelectorAll('{done}').length === 3", 120)
    until(page, "!document.getElementById('horizons').disabled")
    job = page.locator(done).first.get_attribute("data-job")
    files = f"{address}api/jobs/{job}/files/block.products/horizons/"
    picks = [page.request.get(f"{files}{name}.dat").text() for name in ("top", "base")]
    wanted = any(row.startswith("107 ") for one in picks for row in one.splitlines())
    assert wanted, "the model of this test finds no salt on this inline"
    page.click("#tab-view")
    page.mouse.move(5, 5)
    until(page, "!document.querySelector('.toast')")
    first = pixels(page)
    page.click("#horizons")
    assert pixels(page) != first


def test_all_results_are_downloaded_as_one_zip(page: Page, tmp_path: Path) -> None:
    import segyio

    page.click("#tab-jobs")
    card = page.locator(".job[data-status=done]").nth(1)  # the prediction
    if not card.locator("details").evaluate("node => node.open"):
        card.locator("summary").click()
    with page.expect_download() as waiting:
        card.get_by_role("link", name="Download all").click()
    waiting.value.save_as(tmp_path / "got.zip")
    with zipfile.ZipFile(tmp_path / "got.zip") as content:
        assert content.testzip() is None
        (name,) = (one for one in content.namelist() if one.endswith("block_probability.sgy"))
        content.extract(name, tmp_path)
    with segyio.open(tmp_path / name) as file:
        assert segyio.tools.cube(file).shape == (16, 120, 40)


def test_an_area_is_erased_undone_and_opened_again(page: Page, address: str) -> None:
    data = page.evaluate("location.hash.slice(1).split('/')[0]")

    def kept() -> list[dict[str, object]]:
        until(page, "document.getElementById('saved').textContent === 'Saved'")
        sections = json.loads(page.request.get(f"{address}api/data/{data}/strokes").text())
        return sections["sections"][0]["strokes"]  # type: ignore[no-any-return]

    page.click("#tab-view")
    page.keyboard.press("h")
    page.keyboard.press("g")
    for place in ((300, 300), (360, 300), (330, 360)):
        page.mouse.click(*place)
    page.keyboard.press("Enter")
    until(page, "document.getElementById('saved').textContent !== 'Saved'")
    area = kept()[-1]
    assert list(area) == ["label", "polygon"]
    page.keyboard.press("Control+z")
    until(page, "document.getElementById('saved').textContent !== 'Saved'")
    assert area not in kept()
    page.keyboard.press("Control+Shift+Z")
    until(page, "document.getElementById('saved').textContent !== 'Saved'")
    assert kept()[-1] == area
    page.mouse.move(5, 5)
    shown = pixels(page)
    page.keyboard.press("Control+z")
    assert pixels(page) != shown
    page.keyboard.press("Control+y")
    assert pixels(page) == shown
    until(page, "document.getElementById('saved').textContent === 'Saved'")
    page.keyboard.press("h")


def test_labels_of_another_window_are_not_overwritten(page: Page, address: str) -> None:
    data = page.evaluate("location.hash.slice(1).split('/')[0]")
    where = f"{address}api/data/{data}/strokes"
    page.click("#tab-label")
    count = len(json.loads(page.request.get(where).text())["sections"][0]["strokes"])
    theirs = {"label": "salt", "width": 3.0, "height": 8.0, "points": [[305.0, 40.0]]}
    content = {"sections": [{"inline": 107, "strokes": [theirs]}]}

    def changed_elsewhere() -> None:
        assert page.request.put(where, data=content).ok
        paint(page, "s", [(480, 350), (620, 380)])
        until(page, "!document.getElementById('conflict').hidden")
        assert "changed elsewhere" in page.inner_text("#saved")
        assert json.loads(page.request.get(where).text())["sections"][0]["strokes"] == [theirs]

    changed_elsewhere()
    page.click("#adapt")
    until(page, "document.querySelector('.toast')?.textContent.includes('changed elsewhere')")
    page.click("#mine")
    until(page, "document.getElementById('saved').textContent === 'Saved'")
    kept = json.loads(page.request.get(where).text())["sections"][0]["strokes"]
    assert len(kept) == count + 1
    changed_elsewhere()
    page.click("#theirs")
    until(page, "document.getElementById('conflict').hidden")
    assert "1 label" in page.inner_text("#labelled")
    assert page.request.put(where, data={"sections": [{"inline": 107, "strokes": kept}]}).ok
    page.evaluate("() => dispatchEvent(new Event('focus'))")  # back in this window
    until(page, f"document.getElementById('labelled').textContent.includes('{count + 1} labels')")
    page.keyboard.press("h")


def test_the_theme_is_there_before_anything_is_drawn(page: Page, address: str) -> None:
    browser = page.context.browser
    assert browser is not None
    for scheme, kept, wanted in (
        ("dark", "", "dark"),
        ("light", "", "light"),
        ("light", "dark", "dark"),
    ):
        context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
        context.add_init_script(f"localStorage.setItem('diapir-theme', '{kept}')" if kept else "")
        other = context.new_page()
        other.route("**/page/app.js", lambda route: route.abort())  # the page's own script is late
        other.goto(address, wait_until="domcontentloaded")
        assert other.evaluate("document.documentElement.dataset.theme") == wanted
        dark = (
            other.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 25, 30)"
        )
        assert dark == (wanted == "dark")
        context.close()


def drop(page: Page, name: str, content: bytes) -> None:
    """Drop a file on the page."""
    script = """([name, text]) => {
        const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
        const held = new DataTransfer();
        held.items.add(new File([bytes], name));
        return held;
    }"""
    held = page.evaluate_handle(script, [name, base64.b64encode(content).decode()])
    page.dispatch_event("#view", "dragenter", {"dataTransfer": held})
    assert page.is_visible("#drop")
    page.dispatch_event("#view", "drop", {"dataTransfer": held})
    assert not page.is_visible("#drop")


def test_a_dropped_picture_is_predicted(page: Page) -> None:
    import numpy as np
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(np.random.default_rng(3).integers(0, 255, (80, 120), np.uint8)).save(
        content, "PNG"
    )
    drop(page, "dropped.png", content.getvalue())
    until(page, "document.getElementById('file-name').textContent === 'dropped.png'")
    until(page, "document.getElementById('found').textContent.includes('are salt')")


def test_dropped_surveys_are_opened(page: Page, tmp_path: Path) -> None:
    import numpy as np

    from tests.adaptation.made_block import write_block

    drop(page, "dropped.sgy", write_block(tmp_path).read_bytes())
    until(page, "document.getElementById('file-name').textContent === 'dropped.sgy'")
    until(page, "document.getElementById('file-facts').textContent.startsWith('16 inlines')")
    content = io.BytesIO()
    np.save(content, np.random.default_rng(1).normal(0, 9, (50, 60)).astype(np.float32))
    drop(page, "dropped.npy", content.getvalue())
    until(page, "document.getElementById('file-name').textContent === 'dropped.npy'")
    until(page, "document.getElementById('file-facts').textContent.includes('50 traces')")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("noise.sgy", b"no survey" * 900, "noise.sgy"),
        ("notes.txt", b"x", "neither a survey nor a picture"),
        ("nothing.png", b"", "is empty"),
        ("large.sgy", bytes(3_100_000), "diapir serve large.sgy"),
    ],
)
def test_what_cannot_be_dropped_is_told(page: Page, name: str, content: bytes, words: str) -> None:
    before = page.inner_text("#file-name")
    page.evaluate("() => document.getElementById('toasts').replaceChildren()")
    drop(page, name, content)
    until(page, "document.querySelector('.toast')")
    assert words in page.inner_text(".toast")
    assert page.inner_text("#file-name") == before
    until(page, "!document.getElementById('state').classList.contains('shown')")


def test_a_file_is_chosen_with_the_keyboard(page: Page, tmp_path: Path) -> None:
    page.keyboard.press("o")
    page.wait_for_selector("#files[open]")
    with page.expect_file_chooser():
        page.focus("#choose-file")
        page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert not page.is_visible("#files")


def test_a_service_that_has_gone_is_told(page: Page, address: str) -> None:
    page.goto(f"{address}#{page.evaluate('location.hash.slice(1)')}")
    page.wait_for_selector("html[data-ready=yes]")
    page.keyboard.press("o")
    page.fill("#filter", "block.sgy")
    page.keyboard.press("Enter")
    until(page, "document.getElementById('file-name').textContent === 'block.sgy'")
    shown = pixels(page)
    page.route("**/api/**", lambda route: route.abort())
    until(page, "!document.getElementById('offline').hidden")
    page.keyboard.press("x")
    until(page, "document.getElementById('state').textContent.includes('does not answer')")
    page.unroute("**/api/**")
    until(page, "document.getElementById('offline').hidden")
    assert pixels(page) != shown  # the crossline, by itself
