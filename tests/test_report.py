"""The report of a run in a real browser: sorted, filtered, by keyboard, with hostile text."""

import re
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from ray_runs import PATIENCE
from report_runs import made_up, winner, write

from raynas.cli.main import main
from raynas.experiment.run.report import report
from raynas.space import Choice, Space
from raynas.trial import Failed, Report, Started
from search_spaces import mlp

CHROMIUM = shutil.which("chromium")
EVIL = "<script>window.hacked=1</script>\"'><img src=x onerror=hacked=1>\x00\x1b[31m\u202e$x_{$"
SHELL = "$(touch hacked) `touch hacked` ; 'x' \"y\""


def page_of(folder, events, **how):
    """Write a run and its report; return the page."""
    return report(write(folder, events, **how)).read_text(encoding="utf-8")


def words_of(page):
    """Return the words of a page, without what the browser does not show."""
    body = page[page.index("<body>") :]
    plain = re.sub(r"<(script|svg).*?</\1>|<[^>]*>", " ", body, flags=re.DOTALL)
    return " ".join(plain.split())


def refused(*words, capsys, monkeypatch):
    """Call the command; return its status and what it says."""
    monkeypatch.setattr("sys.argv", ["raynas", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        main()
    return left.value.code, " ".join(capsys.readouterr().err.split())


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("the report is looked at with Chromium, and there is no chromium on the path")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright drives Chromium")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"], timeout=1000 * PATIENCE
        )
        yield started
        started.close()


@pytest.fixture
def opened(browser):
    """Open a report; afterwards nothing may have been asked of a network, and no error said."""
    seen, pages = [], []

    def look(path, width=1280, scheme="light"):
        shown = browser.new_page(
            viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
        )
        shown.set_default_timeout(1000 * PATIENCE)
        shown.on("request", lambda one: seen.append(one.url))
        shown.on("console", lambda one: seen.append(one.text))
        shown.on("pageerror", lambda one: seen.append(str(one)))
        shown.goto(Path(path).as_uri())
        pages.append(shown)
        return shown

    yield look
    for shown in pages:
        shown.close()
    assert [one for one in seen if not one.startswith(("file:", "data:,"))] == []


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """A run with a bit of everything, and its report."""
    folder = tmp_path_factory.mktemp("report") / "first"
    return report(write(folder, [*made_up(60), winner(10)]))


def column(shown, name):
    """Return the cells of a column of the leaderboard that is to be seen."""
    heads = shown.locator("#trials thead th").all_inner_texts()
    at = next(place for place, head in enumerate(heads) if head.split()[0] == name)
    cells = shown.locator(f"#trials tbody tr:visible td:nth-child({at + 1})")
    return cells.all_inner_texts()


def test_the_leaderboard_is_sorted_with_mouse_and_keyboard(opened, example):
    shown = opened(example)
    head = shown.locator("#trials thead th").nth(1)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert column(shown, "trial") == [str(number) for number in range(60)]
    shown.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert column(shown, "trial") == [str(number) for number in reversed(range(60))]
    shown.keyboard.press("Shift+Tab")
    shown.keyboard.press("Space")
    assert head.get_attribute("aria-sort") is None
    ranks = column(shown, "rank")
    ranked = [int(rank) for rank in ranks if rank]
    assert ranked == sorted(ranked)
    assert len(ranked) == 56
    assert not any(ranks[56:]), "failed trials have no rank, and come last"


def test_the_leaderboard_is_filtered(opened, example):
    shown = opened(example)
    shown.get_by_label("Status").select_option("failed")
    assert shown.locator("output").inner_text() == "4 of 60 trials shown"
    assert {*column(shown, "status")} == {"failed"}
    shown.get_by_label("Status").select_option("")
    shown.get_by_label("Contains").fill("4 gelu")
    texts = shown.locator("#trials tbody tr:visible").all_text_contents()
    assert texts
    assert all("gelu" in text.lower() and "4" in text for text in texts)
    shown.get_by_label("Contains").press("Enter")
    assert shown.url == example.as_uri(), "the filter sends nothing"


def test_the_report_can_be_read_by_keyboard_and_by_screen_readers(opened, example):
    shown = opened(example)
    shown.keyboard.press("Tab")
    assert shown.evaluate("document.activeElement.textContent") == "Skip to the report"
    assert shown.locator("a.skip").evaluate("one => getComputedStyle(one).outlineStyle") == "solid"
    shown.keyboard.press("Enter")
    assert shown.evaluate("document.activeElement.id") == "main"
    assert shown.locator("html").get_attribute("lang") == "en"
    for role in ("banner", "navigation", "main", "contentinfo"):
        assert shown.get_by_role(role).count() == 1
    levels = shown.locator("h1, h2, h3, h4").evaluate_all("all => all.map(one => one.tagName)")
    assert levels[0] == "H1"
    assert levels.count("H1") == 1
    assert all(int(b[1]) - int(a[1]) <= 1 for a, b in pairwise(levels))
    assert shown.locator("th:not([scope])").count() == 0
    assert shown.locator("table:not(:has(caption))").count() == 0
    names = shown.locator("[tabindex='0']").evaluate_all(
        "all => all.map(one => one.getAttribute('aria-label'))"
    )
    assert "all trials, the best first" in names, "what can be scrolled is reached by the keyboard"
    assert all(names)
    drawings = shown.locator("svg")
    assert drawings.count() >= 12
    assert shown.locator("svg[role=img] > title").count() == drawings.count()
    links = shown.locator("nav a").evaluate_all("all => all.map(one => one.hash)")
    assert all(shown.locator(link).count() == 1 for link in links)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_the_screen_and_text_stands_out(opened, example, width, scheme):
    shown = opened(example, width, scheme)
    assert shown.evaluate("document.documentElement.scrollWidth") == width
    colours = shown.locator("body").evaluate(
        "one => [getComputedStyle(one).color, getComputedStyle(one).backgroundColor]"
    )
    text, back = (sum(map(int, re.findall(r"\d+", one)[:3])) for one in colours)
    assert (text < back) == (scheme == "light")
    assert abs(text - back) > 500


def test_hostile_text_is_text(opened, tmp_path):
    """Names of metrics, options, decisions and reasons can be anything; nothing of it runs."""
    space = Space({EVIL.replace(" ", "").replace(".", ""): Choice((EVIL, SHELL))})
    told = []
    for number, event in enumerate(made_up(26, space=mlp.SPACE)):
        match event:
            case Started():
                decided = space.walk(lambda one, n=number: one.domain.values()[n % 2])
                told.append(replace(event, architecture=decided, identity=EVIL + str(number)))
            case Report():
                metrics = {EVIL: event.metrics["val_accuracy"], "params": 3.0}
                told.append(replace(event, metrics=metrics, errors={}, worker=EVIL))
            case Failed():
                told.append(replace(event, reason=EVIL, detail=EVIL))
            case _:
                told.append(event)
    settings = {
        "space": EVIL,
        "task": SHELL,
        "objective": f"{EVIL}:max",
        "task_options": {EVIL: 1},
    }
    data = {EVIL: {EVIL: EVIL}}
    folder = write(tmp_path / "<b>run", told, settings, space, data=data, code={EVIL: EVIL})
    shown = opened(report(folder))
    assert shown.evaluate("window.hacked") is None
    assert shown.locator("img, main script, iframe").count() == 0
    assert shown.title() == "<b>run: raynas report"
    assert "<script>window.hacked" in shown.get_by_role("main").inner_text()
    assert "␀␛[31m⟨U+202E⟩" in shown.get_by_role("main").inner_text()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", shown.content())


def test_the_page_forbids_scripts_that_are_not_its_own(browser, example, tmp_path):
    copy = tmp_path / "copy.html"
    text = example.read_text(encoding="utf-8")
    added = (
        "<script>window.hacked=1</script><img src='http://example.invalid/x.png' "
        "onerror='window.hacked=2'>"
    )
    copy.write_text(text.replace("<main", f"{added}<main"), encoding="utf-8")
    shown, asked = browser.new_page(), []
    shown.set_default_timeout(1000 * PATIENCE)
    shown.on("requestfinished", lambda one: asked.append(one.url))
    shown.goto(copy.as_uri())
    assert shown.evaluate("window.hacked") is None
    assert asked == [copy.as_uri()]
    names = shown.locator("body, body *").evaluate_all(
        "all => [...new Set(all.flatMap(one => one.getAttributeNames()))]"
    )
    assert [name for name in names if name.startswith("on")] == ["onerror"], "only the added one"
    shown.close()
