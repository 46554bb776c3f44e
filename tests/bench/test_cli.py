"""The command line as a user meets it; runs themselves are made up."""

import subprocess
import sys

import pytest

from bench import catalog, cli
from bench.errors import DataError
from bench.run import lifecycle
from bench.run.plan import Live


@pytest.fixture
def fake_run(monkeypatch, made):
    """Runs that take no time; what was asked for is listed."""
    asked = []

    def run(plan, home, watch, *, again=False):
        asked.append((plan, home, again))
        watch.stage("train")
        if plan.method == "ease":
            return made.failure()
        return made.finished(plan.method, 0.3)

    monkeypatch.setattr(lifecycle, "run", run)
    return asked


def test_help_teaches_with_examples(call):
    code, out, _ = call("--help")
    assert code == 0
    assert "bench run --method dvf" in out
    for command in ("run", "plan", "sweep", "time", "results", "inspect", "compare", "data", "list", "show", "doctor"):
        assert f" {command} " in out
    assert "--plugin ./mine.py:LSH" in call("run", "--help")[1]


def test_every_command_stands_in_a_panel_of_its_kind(call):
    out = call("--help")[1]
    assert "─ Commands ─" not in out
    places = [
        out.index(f"─ {panel} ─") for panel in ("Run", "Look at results", "Publish and guard", "Data and plugins")
    ]
    assert places == sorted(places)


@pytest.mark.parametrize(
    "words",
    [
        ["data"],
        ["data", "audit"],
        ["results"],
        ["inspect"],
        ["compare"],
        ["list"],
        ["show"],
        ["plan"],
        ["sweep"],
        ["time"],
        ["doctor"],
    ],
)
def test_every_command_has_a_help_page(call, words):
    code, out, _ = call(*words, "--help")
    assert code == 0
    assert "Usage" in out


def test_the_command_line_starts_without_the_libraries_of_the_work():
    heavy = {"torch", "faiss", "numba", "pandas", "polars", "pyarrow", "scipy"}
    program = f"import sys, bench.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_text_between_colons_stays_as_it_is(call):
    assert "--plugin nofile.py:X: there is no file" in call("run", "--plugin", "nofile.py:X")[2]
    assert ":X:" in call("show", ":X:")[2]
    assert ":X:" in call(":X:")[2]
    assert ":X:" in call("run", "-m", "popularity", "--memory", ":X:")[2]


def test_python_runs_the_package():
    done = subprocess.run([sys.executable, "-m", "bench", "--help"], capture_output=True, text=True, check=True)
    assert "Usage: bench " in done.stdout


def test_several_methods_and_data_sets_are_run_one_after_another(call, fake_run, tmp_path):
    code, out, err = call(
        "run",
        "-m",
        "popularity,item_cf",
        "-m",
        "null",
        "-d",
        "synthetic:seed=1",
        "-d",
        "movielens-1m",
        "--json",
        "out.json",
    )
    assert code == 0, err
    assert [(plan.method, plan.dataset) for plan, _, _ in fake_run] == [
        (method, dataset)
        for dataset in ("synthetic:seed=1", "movielens-1m")
        for method in ("popularity", "item_cf", "null")
    ]
    assert len((tmp_path / "out.json").read_text().splitlines()) == 6
    assert out.count("finds .300 of the targets") == 4  # of null something else is said
    assert "done: " in err


def test_options_reach_the_plan(call, fake_run, tmp_path):
    words = (
        "run -m popularity --set half_life=30 --k 20 --seed 3 -p next-item:users=50 --seen answered --recall-over min-k"
    )
    words += " --live --remove 0.25"
    limits = "--timeout 2m --memory 2GB --threads 1 --timing single+load --slo-ms 20 --again --results elsewhere"
    code, _, err = call(*words.split(), *limits.split())
    assert code == 0, err
    plan, home, again = fake_run[0]
    assert plan.settings == {"half_life": "30"}
    assert (plan.ks, plan.seed, plan.protocol, plan.threads, plan.timing) == (
        (10, 20),
        3,
        "next-item:users=50",
        1,
        "single+load",
    )
    assert plan.slo_ms == 20
    assert (plan.conventions.seen, plan.conventions.recall_over) == ("answered", "min_k")
    assert (plan.limits.seconds, plan.limits.memory_bytes) == (120.0, 2 * 10**9)
    assert again and plan.live == Live(remove=0.25)
    assert (home.results.name, home.cache, home.data_root) == ("elsewhere", tmp_path / "cache", None)


def test_a_failed_run_is_a_row_and_the_exit_code_says_so(call, fake_run):
    code, out, _ = call("run", "-m", "ease,popularity")
    assert code == 1
    assert "✗ ease grew past its memory limit" in out
    assert "popularity finds" in out


def test_data_that_cannot_be_used_do_not_stop_the_other_runs(call, monkeypatch, made):
    def run(plan, home, watch, *, again=False):
        if plan.dataset == "epinions":
            raise DataError("epinions: no network; name a folder by --data-root")
        return made.finished(plan.method)

    monkeypatch.setattr(lifecycle, "run", run)
    code, out, _ = call("run", "-m", "popularity", "-d", "epinions,synthetic")
    assert code == 1
    assert "no network; name a folder by --data-root" in out
    assert "popularity finds" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run"], "name a method"),
        (["run", "-m", "popularty"], "Did you mean 'popularity'"),
        (["run", "-m", "popularity", "-d", "movielens-1n"], "Did you mean 'movielens-1m'"),
        (["run", "-m", "popularity", "-p", "next-itm"], "Did you mean 'next-item'"),
        (["run", "-m", "popularity", "-p", "next-item:user=3"], "Did you mean 'users'"),
        (["run", "-m", "popularity", "--set", "halflife=3"], "Did you mean 'half_life'"),
        (["run", "-m", "popularity", "--set", "half_life=often"], "half_life='often' is no float"),
        (["run", "-m", "popularity,item_cf,ease", "--set", "shrink=-1"], "item_cf: shrink=-1 is not allowed"),
        (["run", "-m", "popularity", "--timeout", "0s"], "limit of 0 seconds"),
        (["run", "-m", "popularity", "--memory", "0"], "limit of 0 bytes"),
        (["run", "-m", "popularity", "--columns", "user=u"], "--columns belongs to --data"),
        (["run", "-m", "popularity", "--remove", "0.1"], "--remove belongs to --live"),
        (["run", "-m", "popularity", "--methd", "x"], "--method"),
        (["run", "-m", "popularity", "--memory", "lots"], "no amount of memory"),
        (["run", "-m", "popularity", "--plugin", "nowhere.py:X"], "there is no file"),
        (["run", "-m", "popularity", "--json", "nowhere/run.json"], "there is no folder nowhere"),
        (["show", "popularty"], "Did you mean 'popularity'"),
        (["inspect", "nothing"], "there is no run 'nothing'"),
        (["run", "-m", "popularity", "-d", "synthetic:itms=3"], "no setting 'itms' of synthetic. Did you mean 'items'"),
        (["run", "-m", "popularity", "-d", "synthetic:items=x"], "items='x' is no int"),
        (["run", "-m", "popularity", "-d", "epinions:items=3"], "takes no settings"),
        (["run", "-m", "popularity", "--data", __file__, "--columns", "usr=a,item=b"], "no role 'usr' in --columns"),
        (
            ["run", "-m", "popularity", "--data", __file__, "--columns", "user=u,item=u"],
            "'u' cannot be both user and item",
        ),
        (["run", "-m", "popularity", "--data", __file__, "--columns", "user=u,user=v"], "user twice: 'u' and 'v'"),
        (["data", "stats", "--data", __file__, "--columns", "item=a,user=b,time=a"], "both item and time"),
        (["run", "-m", "popularity", "--device", "gpu"], "'gpu' is no device"),
        (["data", "stats"], "name a data set"),
        (["data", "stats", __file__], "give it by --data"),
        (["data", "stats", "epinions", "--data", __file__], "not both"),
        (["lst"], "list"),
    ],
)
def test_a_wrong_command_says_what_to_mend_and_exits_with_2(call, fake_run, words, message):
    code, _, err = call(*words)
    assert code == 2
    assert message in err
    assert "Traceback" not in err
    assert not fake_run


def test_a_full_disk_is_one_line(call, monkeypatch):
    def run(plan, home, watch, *, again=False):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lifecycle, "run", run)
    code, _, err = call("run", "-m", "popularity")
    assert code == 1
    assert "No space left on device" in err
    assert "Traceback" not in err


def test_a_broken_metric_is_said_before_any_run(call, fake_run, monkeypatch):
    broken = catalog.Entry("mine", "no_such_module:metric", "acme")
    monkeypatch.setattr(
        catalog,
        "entries",
        lambda group, real=catalog.entries: {"mine": broken} if group == catalog.METRICS else real(group),
    )
    code, _, err = call("run", "-m", "popularity")
    assert code == 1
    assert "Mend or uninstall acme" in err
    assert not fake_run


def test_the_audit_speaks_of_the_data_and_of_the_split(call, tmp_path):
    rows = [f"u{user},i{(user + step) % 7},{1000 * step + user}" for user in range(30) for step in range(4)]
    (tmp_path / "clicks.csv").write_text("\n".join(["user,item,time", *rows]))
    code, out, _ = call("data", "audit", "--data", "clicks.csv", "--protocol", "next-item")
    assert code == 0
    assert "120 interactions" in out
    assert "Split by next-item" in out
    assert "6 users occur in the test part only" in out
    code, out, _ = call("data", "audit", "--data", "clicks.csv")
    assert code == 0
    assert "Lower min_interactions" in " ".join(out.split())


def test_debug_shows_the_traceback(monkeypatch):
    from bench.errors import UsageError

    with pytest.raises(UsageError):
        cli.main(["run", "--debug"])


def test_interruption_is_one_line_and_130(call, monkeypatch):
    def run(plan, home, watch, *, again=False):
        raise KeyboardInterrupt

    monkeypatch.setattr(lifecycle, "run", run)
    code, _, err = call("run", "-m", "popularity")
    assert code == 130
    assert err.strip().splitlines()[-1].startswith("interrupted: ")


def test_a_sweep_carries_on_after_a_failure_and_shows_all(call, fake_run, tmp_path):
    (tmp_path / "s.toml").write_text("title = 'Mine'\n[[methods]]\nname = 'ease'\n[[methods]]\nname = 'popularity'\n")
    code, out, _ = call("sweep", "s.toml", "--json", "all.json")
    assert code == 1
    assert "Mine" in out
    assert "✗ ease" in out
    assert "popularity finds" in out
    assert len((tmp_path / "all.json").read_text().splitlines()) == 2


def test_a_search_reports_the_chosen_trial_of_each_method(call, fake_run, tmp_path):
    (tmp_path / "s.toml").write_text(
        "[search]\ntrials = 3\nseconds = 1000\n[[methods]]\nname = 'item_cf'\n[[methods]]\nname = 'popularity'\n"
    )
    code, out, _ = call("sweep", "s.toml")
    assert code == 0
    assert len(fake_run) == 6
    assert "item_cf: 3 of 3 trials" in out
    assert out.count("finds .300") == 2


def test_a_sweep_without_time_left_says_what_is_left_and_how_to_go_on(call, fake_run, tmp_path):
    (tmp_path / "s.toml").write_text("budget = 3600\n[[methods]]\nname = 'item_cf'\n[[methods]]\nname = 'popularity'\n")
    code, _, err = call("sweep", "s.toml", "--budget", "0")
    assert code == 3 and not fake_run
    assert "0 done, 2 left (item_cf, popularity). The same command goes on from here." in err
    code, out, err = call("sweep", "s.toml")  # the suite's own hour
    assert code == 0 and len(fake_run) == 2
    assert "0 of 2 runs done" in err and "popularity finds" in out


def test_a_dry_run_lists_and_runs_nothing(call, fake_run, tmp_path, stored):
    (tmp_path / "s.toml").write_text("[[methods]]\nname = 'item_cf'\ngrid = { neighbours = [10, 20] }\n")
    code, out, _ = call("sweep", "s.toml", "--dry-run")
    assert code == 0
    assert "neighbours=20" in out
    assert "2 of 2 runs to do" in out
    assert not fake_run


def test_lists_and_pages_of_what_is_installed(call):
    assert "next-item" in call("list", "protocols")[1]
    assert "recall@k" in call("list", "metrics")[1]
    assert "movielens-1m" in call("list", "datasets")[1]
    shown = call("show", "item_cf")[1]
    assert "train parameters (changing one trains anew)" in shown
    assert "neighbours" in shown
    assert "GroupLens" in call("show", "movielens-1m")[1]
    assert "drift" in call("show", "synthetic")[1]


def test_a_broken_plugin_keeps_its_row_with_the_error(call, monkeypatch):
    from importlib.metadata import EntryPoint

    from bench import catalog

    def broken(**selection):
        group = selection["group"]
        return [EntryPoint("broken", "no_such_module:X", group)] if group == catalog.METHODS else []

    monkeypatch.setattr(catalog.importlib.metadata, "entry_points", broken)
    code, out, _ = call("list", "methods")
    assert code == 0
    assert "broken" in out
    assert "named 'no_such_module'" in " ".join(out.split())
    code, out, _ = call("doctor")
    assert code == 1
    assert "✗ the plugin 'broken'" in out
