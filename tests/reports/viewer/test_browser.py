"""The page in a real browser: keys, filters, addresses, layers, phones, and hostile text that does nothing."""

import json

import pytest
from helpers.chrome import Chrome, find_chrome
from helpers.viewer_folder import EVIL, LONG
from helpers.viewer_page import content

pytestmark = pytest.mark.skipif(
    find_chrome() is None, reason="no Chromium or Chrome found; install one, or name it in PSEUDOGD_CHROME"
)
SHOWN = "decodeURIComponent(location.hash.slice(1))"
SHOT = "document.getElementById('shot')"
STEM = "document.querySelector('#question .stem').textContent"
COUNT = "Number(document.getElementById('position').textContent.split(' of ')[1].replace(/,/g, ''))"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    chrome = Chrome(find_chrome(), tmp_path_factory.mktemp("profile"))
    yield chrome
    chrome.close()


@pytest.fixture
def opened(browser, viewer_page):
    browser.size(1280, 900)
    browser.open(viewer_page.as_uri())
    browser.wait(f"{SHOWN} !== ''")
    yield browser
    assert browser.errors() == []


@pytest.fixture(scope="module")
def listed(viewer_page):
    return [question for photo in content(viewer_page)["photos"] for question in photo["questions"]]


def press(browser, *keys, shift=False):
    for key in keys:
        browser.key(key, shift)


def tick(browser, facet, value):
    label = f"[data-facet={json.dumps(facet)}][data-value={json.dumps(value)}]"
    browser.js(f"document.querySelector({json.dumps(label)} + ' input').click()")
    return browser.js(f"Number(document.querySelector({json.dumps(label)} + ' b').textContent)")


def test_keys_go_through_questions_and_photos(opened, listed):
    ids = [question["id"] for question in listed]
    assert opened.js(SHOWN) == ids[0] and opened.js(STEM) == listed[0]["stem"] and opened.js(COUNT) == len(ids)
    press(opened, "j", "ArrowRight")
    assert opened.js(SHOWN) == ids[2]
    press(opened, "k")
    assert opened.js(SHOWN) == ids[1]
    press(opened, "ArrowLeft", "ArrowLeft")
    assert opened.js(SHOWN) == ids[-1]  # round the corner
    press(opened, "j")
    for _ in range(10):
        press(opened, "j")
    inside = "(b, l) => b.top >= l.top - 1 && b.bottom <= l.bottom + 1"
    boxes = "[document.querySelector('#list [aria-current=true]'), document.getElementById('list')]"
    assert opened.js(f"({inside})(...{boxes}.map(e => e.getBoundingClientRect()))")
    for _ in range(10):
        press(opened, "k")
    press(opened, "J", shift=True)
    second = next(question["id"] for question in listed if question["id"][:16] != ids[0][:16])
    assert opened.js(SHOWN) == second
    press(opened, "ArrowLeft", shift=True)
    assert opened.js(SHOWN) == ids[0]
    press(opened, "o")
    assert opened.js(SHOWN) == "photo=" + ids[0][:16]
    assert opened.js("document.querySelectorAll('#shot .outline.halo').length") == 6
    press(opened, "j")
    assert opened.js(SHOWN) == ids[0]


def test_keys_do_nothing_while_one_types(opened, listed):
    press(opened, "/")
    assert opened.js("document.activeElement.id") == "search"
    for letter in "jkno":
        press(opened, letter)
    assert opened.js("document.getElementById('search').value") == "jkno"
    assert opened.js("document.getElementById('count').textContent") == f"0 questions of {len(listed)}"
    press(opened, "Escape")
    opened.js("document.getElementById('reset').click()")
    assert opened.js(COUNT) == len(listed)


def test_help_opens_and_closes(opened, listed):
    press(opened, "?", shift=True)
    assert opened.js("document.getElementById('help').open")
    press(opened, "j")  # belongs to the dialog now
    assert opened.js(SHOWN) == listed[0]["id"]
    press(opened, "Escape")
    assert not opened.js("document.getElementById('help').open")


def test_facets_count_what_they_would_leave(opened, listed):
    size = [question for question in listed if question["task"] in ("nearer", "direction")]
    assert tick(opened, "task", "nearer") + tick(opened, "task", "direction") == len(size) == opened.js(COUNT)
    claims = [question for question in size if question["format"] == "yesno"]
    assert tick(opened, "format", "yesno") == len(claims) == opened.js(COUNT)
    kinds = {kind: sum(question["kind"] == kind for question in claims) for kind in ("ordinal", "bearing", "metric")}
    for kind, count in kinds.items():
        assert opened.js(f"Number(document.querySelector('[data-value={kind}] b').textContent)") == count
    assert opened.js(SHOWN) in [question["id"] for question in claims]
    for _ in claims:
        press(opened, "j")
        assert opened.js(SHOWN) in [question["id"] for question in claims]


def slide(browser, name, value):
    put = f"const s = document.getElementById('{name}'); s.value = {value}; s.dispatchEvent(new Event('input'));"
    browser.js(f"(() => {{ {put} }})()")


def test_margin_stability_and_order(opened, listed):
    ranked = [question for question in listed if "rank" in question]
    slide(opened, "margin-low", 50)
    assert opened.js(COUNT) == sum(question["rank"] >= 50 for question in ranked)
    slide(opened, "margin-high", 80)
    assert opened.js(COUNT) == sum(50 <= question["rank"] <= 80 for question in ranked)
    opened.js("document.getElementById('reset').click()")
    slide(opened, "stable", 0.5)
    assert opened.js(COUNT) == sum(question.get("stability", 0) >= 0.5 for question in listed) > 0
    slide(opened, "stable", 0)
    opened.js("(s => { s.value = 'close'; s.dispatchEvent(new Event('change')); })(document.getElementById('sort'))")
    order = "[...document.querySelectorAll('#list button')].map(b => b.dataset.id)"
    ranks = {question["id"]: question.get("rank", 101) for question in listed}
    shown = [ranks[name] for name in opened.js(order)]
    assert shown == sorted(shown) and len(shown) == len(listed)


def test_an_address_leads_to_its_question_through_any_filter(opened, viewer_page, listed):
    tick(opened, "task", "size")
    wanted = next(question for question in listed if question["task"] == "hypothetical")
    opened.js(f"location.hash = {json.dumps(wanted['id'])}")
    opened.wait(f"{STEM} === {json.dumps(wanted['stem'])}")
    assert (
        opened.js(COUNT) == len(listed) and opened.js("document.querySelectorAll('#facets input:checked').length") == 0
    )
    opened.js("location.hash = 'nothing-000'")
    opened.wait("document.getElementById('missing') !== null")
    assert opened.js(STEM) == wanted["stem"]
    opened.open("about:blank")
    opened.open(f"{viewer_page.as_uri()}#{listed[5]['id']}")
    opened.wait(f"{STEM} === {json.dumps(listed[5]['stem'])}")


def test_evidence_is_drawn_on_the_picture_and_from_above(opened, listed):
    stand = next(question for question in listed if question["form"] == "hypothetical.facing")
    opened.js(f"location.hash = {json.dumps(stand['id'])}")
    opened.wait(f"{STEM} === {json.dumps(stand['stem'])}")
    shapes = "document.querySelectorAll('{} path, {} circle').length"
    for view in ("#shot svg", "#plan"):
        drawn = opened.js(shapes.format(view, view))
        press(opened, "e")
        assert opened.js(shapes.format(view, view)) < drawn
        press(opened, "e")
        assert opened.js(shapes.format(view, view)) == drawn
    assert opened.js("document.querySelectorAll('#shot path.fill').length") == 0
    press(opened, "m")
    assert opened.js("document.querySelectorAll('#shot path.fill').length") == 3
    press(opened, "a")
    assert opened.js("document.querySelectorAll('#shot path.fill').length") == 6


def test_layers_and_the_depth_under_the_pointer(opened):
    press(opened, "2")
    assert "Depth" in opened.js("document.querySelector('#shot img').alt")
    assert "Depth in meters" in opened.js("document.querySelector('.legend').textContent")
    box = opened.js(f"(b => [b.x + b.width / 2, b.y + b.height * 0.9])({SHOT}.getBoundingClientRect())")
    for x in (box[0], box[0] + 1):
        opened.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=box[1])
    opened.wait("/depth \\d+\\.\\d\\d m/.test(document.getElementById('readout').textContent)")
    press(opened, "3")
    assert "Normals" in opened.js("document.querySelector('#shot img').alt")
    press(opened, "4")  # there is no confidence: nothing changes
    assert "Normals" in opened.js("document.querySelector('#shot img').alt")


def test_confidence_and_depth_without_metres(browser, rescaled_page):
    browser.open(rescaled_page.as_uri())
    browser.wait(f"{SHOWN} !== ''")
    press(browser, "4")
    legend = "document.querySelector('.legend').textContent"
    assert "Confidence of the teacher, mean 0.5" in browser.js(legend)
    press(browser, "2")
    assert "only the order" in browser.js(legend) and "near" in browser.js(legend)
    assert "No view from above" in browser.js("document.getElementById('above').textContent")
    press(browser, "J", shift=True)
    assert "right up to one factor" in browser.js(legend)
    press(browser, "J", shift=True)
    press(browser, "4")  # not given for this photo: the layer stays
    assert "Depth in meters" in browser.js(legend) and browser.errors() == []


def test_hostile_text_is_shown_and_does_nothing(opened, listed):
    for text in (EVIL, LONG):
        name = next(question["id"] for question in listed if question["stem"] == text)
        opened.js(f"location.hash = {json.dumps(name)}")
        opened.wait(f"{SHOWN} === {json.dumps(name)} && {STEM} === {json.dumps(text)}")
        assert opened.js("document.querySelector('#question .stem').getBoundingClientRect().height") < 320
    assert opened.js("window.pwned === undefined && document.querySelectorAll('script').length === 2")
    assert opened.js("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(("width", "dark"), [(360, False), (390, True), (820, False), (1440, True)])
def test_nothing_is_wider_than_the_window(opened, listed, width, dark):
    opened.size(width, 800, dark)
    for question in listed[::9]:
        opened.js(f"location.hash = {json.dumps(question['id'])}")
        opened.wait(f"{SHOWN} === {json.dumps(question['id'])} && {STEM} === {json.dumps(question['stem'])}")
        assert opened.js("document.documentElement.scrollWidth <= innerWidth")
    background = opened.js("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") != dark
    press(opened, "t", "t")
    assert opened.js("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    press(opened, "t")
    if width < 700:
        assert not opened.js("document.getElementById('filters').checkVisibility()")
        opened.js("document.getElementById('open-filters').click()")
        assert opened.js("document.getElementById('filters').checkVisibility()")


def test_print_is_dark_on_white_whatever_the_screen_is(opened):
    opened.size(1280, 900, dark=True)
    opened.call(
        "Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}]
    )
    style = "getComputedStyle(document.body)"
    assert opened.js(f"[{style}.color, {style}.backgroundColor]") == ["rgb(27, 35, 48)", "rgb(255, 255, 255)"]
    assert not opened.js("document.getElementById('filters').checkVisibility()")
    opened.call("Emulation.setEmulatedMedia", media="", features=[])


def test_every_control_has_a_name_and_every_drawing_a_description(opened):
    controls = "button, input, select, a, svg[role], img, aside, main section"
    named = (
        "e.textContent.trim() || e.getAttribute('aria-label') || e.title || e.closest('label') || e.hasAttribute('alt')"
    )
    nameless = f"[...document.querySelectorAll({json.dumps(controls)})].filter(e => !({named})).length"
    assert opened.js(nameless) == 0
    drawings = "[...document.querySelectorAll('#shot img, #shot svg, #plan')]"
    assert opened.js(f"{drawings}.every(e => e.alt || e.getAttribute('aria-label'))")
    opened.js("document.querySelector('[data-toggle=masks]').focus()")
    press(opened, "m")
    assert opened.js("document.activeElement.dataset.toggle") == "masks"
    assert opened.js("document.activeElement.getAttribute('aria-pressed')") == "true"
