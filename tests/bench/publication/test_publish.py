"""The published page: its files, and what a visitor sees and does, in Chromium."""

import json
import re
import shutil
from pathlib import Path

import pytest

from bench.prices import Prices
from bench.publication.charts import PARTS, frontiers, losses
from bench.publication.entries import Entry
from bench.report.cost import Bill
from bench.run.plan import Plan
from bench.run.turn_record import record_of
from bench.run.turns import Contender, Course
from bench.store import turns
from bench.store.results import stem_of

SUITE = """title = "Two baselines <b>"
datasets = ["synthetic:interactions=20000,items=200"]
ks = [10, 50]
[[methods]]
name = "item_cf"
label = "neighbours"
grid = { neighbours = [5, 100] }
[[methods]]
name = "popularity"
[[methods]]
name = "bayes"
"""


@pytest.fixture
def published(call, tmp_path):
    """The folder of a page made from real runs."""
    (tmp_path / "suite.toml").write_text(SUITE, encoding="utf-8")
    code, out, err = call("sweep", "suite.toml", "-q")
    assert code == 0, err + out
    (tmp_path / "prices.toml").write_text('currency = "EUR"\ncore_hour = 0.03\n', encoding="utf-8")
    code, out, err = call("publish", "suite.toml", "--out", "site", "--prices", "prices.toml")
    assert code == 0, err + out
    return tmp_path / "site"


def test_every_number_has_its_record_and_the_page_is_alone(published):
    text = (published / "index.html").read_text(encoding="utf-8")
    assert len(text) < 3_000_000
    assert "Two baselines &lt;b&gt;" in text and "<b></title>" not in text
    markup = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    links = set(re.findall(r'(?:href|src)="([^"#]*)', markup)) - {"", "data:,"}
    assert links and all((published / link).is_file() for link in links)  # the records, and nothing outside
    for number in re.findall(r'<td class="number".*?</td>', markup):
        assert 'href="runs/' in number
    records = [json.loads(path.read_text()) for path in published.glob("runs/*.json")]
    assert len(records) == 4 and all(
        (published / f"runs/{stem_of(one['run_id'])}.requests.parquet").is_file() for one in records
    )
    recalls = {f"{one['metrics']['recall@50']['value']:.3f}"[1:] for one in records}
    assert all(f">{recall}</a>" in markup for recall in recalls)
    assert "bayes (bound)" in markup and "neighbours neighbours=5" in markup and "p (Holm)" in markup
    names = {path.name for path in published.rglob("*")}
    assert {"records.jsonl", "results.md", "results.csv", "results.tex", "costs.md", "costs.csv"} <= names
    assert "What it costs" in markup and "1M req EUR" in markup and "an hour of a core 0.03 EUR" in markup
    assert "recall@50 against median latency" in markup
    figures = sorted(path.suffix for path in (published / "figures").iterdir())
    assert figures and figures.count(".svg") == figures.count(".png")


def test_a_store_without_results_has_no_page(call, tmp_path):
    assert "no result to publish" in call("publish", "--results", "empty")[2]
    assert not (tmp_path / "empty").exists()


def test_published_records_make_a_page_without_paired_tests(call, stored, tmp_path):
    code, _, err = call("publish", "--title", "All")
    assert code == 0, err
    text = (stored.root / "published" / "index.html").read_text(encoding="utf-8")
    assert "Paired tests" not in text and "measured in turn" not in text and "item_cf" in text


def test_times_in_turn_are_on_the_page_with_their_record(call, stored, made, tmp_path):
    course = Course(("single", "batch"), starts=4, seconds=1, requests=50)
    contenders = [Contender(one["method"]["name"], Plan(one["method"]["name"]), one) for one in stored.records()]
    timed = made.turns({"dvf": 0.002, "item_cf": 0.001, "dvf again": 0.002}, course)
    folder = turns.keep(stored.root, record_of("Two", contenders, "dvf again", course, timed, {}), timed)
    code, _, err = call("publish")
    assert code == 0, err
    page = stored.root / "published" / "index.html"
    text = page.read_text(encoding="utf-8")
    assert "Speed, measured in turn" in text and "dvf beside itself" in text and "<td>faster</td>" in text
    href = f"turns/{folder.name}/record.json"
    assert f'href="{href}"' in text and (page.parent / href).is_file()
    assert (page.parent / "turns" / folder.name / turns.CALLS).is_file()


def test_the_parts_of_the_loss_add_up(made):
    floor = made.finished("popularity", 0.1)
    record = made.finished("dvf", 0.4)
    record["oracle"] = {"recall@50": {"value": 0.45}, "answer_recall@50": {"value": 0.4}}
    entries = [Entry(name, name, one, name, name) for name, one in (("popularity", floor), ("dvf", record))]
    (chart,) = losses(entries)
    shares = {row["part"]: row["share"] for row in chart.spec["data"]["values"] if row["group"] == "all targets"}
    assert shares == pytest.approx(dict(zip(PARTS, (0.1, 0.3, 0.05, 0.55), strict=True)))
    (bounded,) = losses([*entries, Entry("bayes", "bayes", made.bound(0.61), "b", "b")])
    left = [row["share"] for row in bounded.spec["data"]["values"] if row["part"] == PARTS[3]]
    assert left == [pytest.approx(0.16)]


def test_frontiers_are_chosen_on_validation_and_show_test(made):
    """The second has the better test recall at the lower latency, but validation says the opposite."""
    first, second = made.finished("one", 0.4, latency_ms={"p50": 2.0}), made.finished("two", 0.5, latency_ms={"p50": 1})
    second["validation"]["recall@50"]["value"] = 0.1
    entries = [Entry(name, name, one, name, name) for name, one in (("one", first), ("two", second))]
    chart = next(chart for chart in frontiers(entries) if chart.name == "frontier-p50")
    points = {row["method"]: row for row in chart.spec["data"]["values"]}
    assert (points["one"]["on"], points["two"]["on"]) == (True, True)
    assert points["two"]["recall"] == 0.5
    assert "on the validation part" in chart.words
    second["validation"] = {}
    chart = next(chart for chart in frontiers(entries) if chart.name == "frontier-p50")
    assert [row["on"] for row in chart.spec["data"]["values"]] == [False, True]
    assert "on the test part" in chart.words


def test_money_is_an_axis_only_where_there_are_prices(made):
    records = [
        made.finished(name, recall, throughput_qps=rate) for name, recall, rate in (("a", 0.4, 1e3), ("b", 0.5, 1e2))
    ]
    for record in records:
        record["provenance"] = {"build": {"threads": 2}, "device": "cpu"}
    entries = [Entry(str(at), str(at), record, "r", "r") for at, record in enumerate(records)]
    assert "frontier-money" not in {chart.name for chart in frontiers(entries)}
    priced = frontiers(entries, Bill(1e6, Prices("EUR", core_hour=0.036)))
    chart = next(chart for chart in priced if chart.name == "frontier-money")
    assert [row["cost"] for row in chart.spec["data"]["values"]] == pytest.approx([0.02, 0.2])


@pytest.fixture
def browser(tmp_path):
    """Headless Chromium, which logs what it asks for."""
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("needs Chromium and chromedriver (Debian: apt install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=1200,1400",
        f"--user-data-dir={tmp_path / 'profile'}",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield opened
    opened.quit()


def first_column(browser, table):
    return [cell.text for cell in browser.find_elements("css selector", f"{table} tbody th")]


def test_a_visitor_sorts_filters_hovers_and_follows_a_link(published, browser):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.support.ui import WebDriverWait

    def wait(condition):
        return WebDriverWait(browser, 30).until(lambda _: condition())

    for scheme, background in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(20, 23, 26)")):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        browser.get((published / "index.html").as_uri())
        wait(lambda: browser.execute_script("return document.body.dataset.ready") == "yes")
        colour = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert colour.replace("rgba", "rgb").startswith(background[:-1])
    before = first_column(browser, "table.results")
    assert len(before) == 4
    head = next(one for one in browser.find_elements("css selector", "thead th") if one.text.startswith("recall@50"))
    head.click()  # least first
    wait(lambda: first_column(browser, "table.results") != before)
    values = [
        float(row.get_attribute("data-order"))
        for row in browser.find_elements("css selector", "table.results tbody td:nth-child(3)")
    ]
    assert values == sorted(values)
    box = browser.find_element("css selector", ".dt-search input")
    box.send_keys("popul")
    wait(lambda: first_column(browser, "table.results") == ["popularity"])
    box.clear()
    box.send_keys(" \b")
    point = wait(lambda: browser.find_element("css selector", ".chart .mark-symbol path"))
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", point)
    ActionChains(browser).move_to_element(point).perform()
    wait(lambda: "recall@50" in browser.find_element("css selector", "#vg-tooltip-element").text)
    chart = browser.find_elements("css selector", ".chart select")
    assert chart and "head" in chart[0].text
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    link = browser.find_element("css selector", "table.results tbody td.number a")
    target = Path(link.get_attribute("href").removeprefix("file://"))
    browser.execute_script("arguments[0].click()", link)
    wait(lambda: "spec_id" in browser.find_element("css selector", "body").text)
    assert json.loads(target.read_text())["status"] == "ok"
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = {one["params"]["request"]["url"] for one in asked if one["method"] == "Network.requestWillBeSent"}
    assert urls and not [url for url in urls if url.startswith(("http", "ws"))]
    severe = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not severe
