from pathlib import Path

import pytest

from bench.errors import ParameterError, UnknownName, UsageError
from bench.report.schedule import trainings
from bench.run.plan import Live
from bench.suites import load_suite

ROOT = Path(__file__).parents[2]


def write(folder, text):
    path = folder / "suite.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_suite_is_every_method_on_every_task_with_every_combination(tmp_path):
    suite = load_suite(
        write(
            tmp_path,
            """
            title = "A title"
            datasets = ["synthetic", "movielens-1m"]
            protocols = ["next-item:users=50"]
            seeds = [0, 1]
            ks = [5, 20]
            timeout = 60
            memory_gb = 2
            [conventions]
            seen = "answered"
            [[methods]]
            name = "item_cf"
            set = { shrink = 5 }
            grid = { neighbours = [10, 20] }
            [[methods]]
            name = "popularity"
            """,
        )
    )
    assert suite.title == "A title"
    assert len(suite.plans) == 2 * 2 * (2 + 1)
    first = suite.plans[0]
    assert (first.dataset, first.protocol, first.seed, first.k) == ("synthetic", "next-item:users=50", 0, 20)
    assert first.settings == {"shrink": 5, "neighbours": 10}
    assert first.conventions.seen == "answered"
    assert (first.limits.seconds, first.limits.memory_bytes) == (60, 2_000_000_000)
    assert [plan.method for plan in suite.plans[:3]] == ["item_cf", "item_cf", "popularity"]


def test_a_live_suite_says_what_leaves(tmp_path):
    text = 'live = true\nremove = 0.1\n[[methods]]\nname = "popularity"\n'
    assert load_suite(write(tmp_path, text)).plans[0].live == Live(remove=0.1)
    assert load_suite(write(tmp_path, text.replace("remove = 0.1", ""))).plans[0].live == Live()
    assert load_suite(write(tmp_path, '[[methods]]\nname = "popularity"\n')).plans[0].live is None
    for wrong, said in (
        ("live = 3", "true or false"),
        ("remove = 0.1", "belongs to"),
        ("live = true\nremove = 2", "share"),
    ):
        with pytest.raises(UsageError, match=said):
            load_suite(write(tmp_path, f'{wrong}\n[[methods]]\nname = "popularity"\n'))


def test_a_search_has_the_same_budget_for_every_method_and_leaves_alone_what_is_set(tmp_path):
    suite = load_suite(
        write(
            tmp_path,
            """
            [search]
            trials = 7
            seconds = 30
            seed = 3
            [[methods]]
            name = "item_cf"
            set = { shrink = 5 }
            [[methods]]
            name = "ease"
            range = { regularisation = { low = 10, high = 20 } }
            """,
        )
    )
    assert not suite.plans
    assert {(one.trials, one.seconds, one.seed, one.select) for one in suite.searches} == {(7, 30.0, 3, "recall@50")}
    cf, ease = suite.searches
    assert list(cf.ranges) == ["neighbours"]
    assert (ease.ranges["regularisation"].low, ease.ranges["regularisation"].high) == (10, 20)
    assert all(plan.settings["shrink"] == 5 for plan in cf.plans())


def test_a_search_may_halve_methods_whose_training_is_told_how_long_to_take(tmp_path):
    text = """
        budget = 5400
        [search]
        trials = 9
        halving = 3
        [[methods]]
        name = "ease"
        [[methods]]
        name = "two_tower"
        [[methods]]
        name = "two_tower"
        set = { seconds = 60.0 }
        [[methods]]
        name = "two_tower"
        set = { seconds = 0.0 }
        """
    suite = load_suite(write(tmp_path, text))
    assert suite.budget == 5400
    assert [(one.halves, one.training) for one in suite.searches] == [
        (False, 0.0), (True, 600.0), (True, 60.0), (True, float("inf")),
    ]  # fmt: skip
    assert not load_suite(write(tmp_path, text.replace("halving = 3", ""))).searches[1].halves


def test_a_plugin_file_is_looked_for_beside_the_suite(tmp_path):
    suite = load_suite(write(tmp_path, '[[methods]]\nname = "./mine.py:LSH"'))
    assert suite.plans[0].method == str(tmp_path / "mine.py:LSH")


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("datasets = [", UsageError, "not valid TOML"),
        ("title = 3\n[[methods]]\nname = 'ease'", UsageError, "title = 3 should be of type str"),
        ("dataset = 'synthetic'", UnknownName, "Did you mean 'datasets'"),
        ("title = 'none'", UsageError, "names no method"),
        ("[[methods]]\nset = { a = 1 }", UsageError, "number 1 needs name"),
        ("[[methods]]\nname = 'ease'\nsett = { a = 1 }", UnknownName, "Did you mean 'set'"),
        ("[[methods]]\nname = 'ease'\ngrid = { regularisation = 1 }", UsageError, "must be a list"),
        ("[[methods]]\nname = 'ease'\nrange = { regularisation = [1] }", UsageError, r"belongs to a \[search\]"),
        ("[search]\n[[methods]]\nname = 'ease'\ngrid = { regularisation = [1] }", UsageError, "remove grid"),
        ("[search]\n[[methods]]\nname = 'ease'\nrange = { regularization = [1] }", UnknownName, "'regularisation'"),
        ("[search]\ntrials = 0\n[[methods]]\nname = 'ease'", UsageError, "above 0"),
        ("[conventions]\nseen = 'no'\n[[methods]]\nname = 'ease'", ParameterError, r"\[conventions\]: .*filtered"),
        ("[conventions]\nsen = 'no'\n[[methods]]\nname = 'ease'", UnknownName, r"\[conventions\]: .*'seen'"),
        ("budget = 0\n[[methods]]\nname = 'ease'", UsageError, "budget = 0 seconds"),
        ("[search]\nhalving = 1\n[[methods]]\nname = 'ease'", UsageError, "halving = 1 should be 2 or more"),
        ("[search]\nhalving = 2\n[[methods]]\nname = 'two_tower'\nrange = { seconds = [1.0, 2.0] }", UsageError,
         "halving gives two_tower its seconds"),
        ("timeout = 0\n[[methods]]\nname = 'ease'", UsageError, "limit of 0 seconds"),
        ("live = true\nremove = 2\n[[methods]]\nname = 'ease'", UsageError, "no share"),
        ("[[methods]]\nname = 'popularity'\n[[methods]]\nname = 'item_cf'\nset = { shrink = -1 }", ParameterError,
         r"\[\[methods\]\] number 2: item_cf: shrink=-1"),
        ("[[methods]]\nname = 'ease'\ngrid = { regularisation = [1, 'x'] }", ParameterError, "1: ease: regul"),
        ("[[methods]]\nname = 'ease'\ngrid = { regularization = [1] }", UnknownName, "number 1: .*'regularisation'"),
        ("[[tasks]]\ndataset = 'synthetic'\nset = { shrink = -1 }\n[[methods]]\nname = 'item_cf'", ParameterError,
         "task 'synthetic' for item_cf: shrink=-1"),
        ("[[methods]]\nname = 'dvf'\nset = { smoothing = 1.0, scorer = 'inner' }", ParameterError, "1: dvf: smoo"),
        ("[search]\n[[methods]]\nname = 'ease'\nset = { regularisation = -1 }", ParameterError, "1: ease: regul"),
        ("[search]\n[[methods]]\nname = 'ease'\nrange = { regularisation = [-1] }", ParameterError, "range.regul"),
        ("[search]\n[[methods]]\nname = 'ease'\nrange = { regularisation = 1 }", UsageError, "range.regul.*: a range"),
    ],
)  # fmt: skip
def test_mistakes_are_named(tmp_path, text, error, words):
    with pytest.raises(error, match=words) as caught:
        load_suite(write(tmp_path, text))
    assert str(caught.value).count(f"{tmp_path}/suite.toml") == 1


@pytest.mark.parametrize("path", sorted((ROOT / "suites").glob("*.toml")), ids=lambda path: path.stem)
def test_the_suites_of_the_project_can_be_read(path):
    suite = load_suite(path)
    assert suite.plans or suite.searches


def test_tasks_bring_settings_that_a_method_may_replace(tmp_path):
    suite = load_suite(
        write(
            tmp_path,
            """
            [[tasks]]
            dataset = "synthetic:items=100"
            set = { shrink = 5 }
            grid = { neighbours = [1, 2] }
            [[tasks]]
            dataset = "movielens-1m"
            name = "live"
            title = "Films"
            protocol = "temporal"
            live = true
            phases = ["update"]
            [[methods]]
            name = "item_cf"
            [[methods]]
            name = "item_cf"
            label = "wide"
            tasks = ["synthetic"]
            set = { neighbours = 9, shrink = 0 }
            """,
        )
    )
    assert [(entry.label, entry.at, dict(entry.plan.settings)) for entry in suite.entries] == [
        ("item_cf", 1, {"shrink": 5, "neighbours": 1}),
        ("item_cf", 1, {"shrink": 5, "neighbours": 2}),
        ("wide", 2, {"shrink": 0, "neighbours": 9}),
        ("item_cf", 1, {}),
    ]
    last = suite.entries[-1]
    assert (last.plan.dataset, last.plan.protocol, last.plan.live) == ("movielens-1m", "temporal", Live())
    assert (last.task.name, last.task.title, last.task.phases) == ("live", "Films", ("update",))
    assert suite.entries[0].plan.live is None


def test_what_a_task_sets_is_for_the_methods_that_have_it(tmp_path):
    text = """
        [[tasks]]
        dataset = "synthetic"
        set = { shrink = 5, half_life = 3.0 }
        grid = { neighbours = [1, 2] }
        [[methods]]
        name = "item_cf"
        [[methods]]
        name = "popularity"
        """
    entries = load_suite(write(tmp_path, text)).entries
    assert [dict(entry.plan.settings) for entry in entries] == [
        {"shrink": 5, "neighbours": 1},
        {"shrink": 5, "neighbours": 2},
        {"half_life": 3.0},
    ]
    with pytest.raises(UnknownName, match=r"'shrnk' of a method in .*task 'synthetic'"):
        load_suite(write(tmp_path, text.replace("shrink", "shrnk")))


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("[[tasks]]\nname = 'a'", UsageError, "number 1 needs dataset"),
        ("[[tasks]]\ndataset = 'synthetic'\nprotocols = ['x']", UnknownName, "'protocol'"),
        ("datasets = ['synthetic']\n[[tasks]]\ndataset = 'synthetic'", UsageError, "datasets stands in each"),
        ("[[tasks]]\ndataset = 'synthetic'\nphases = ['indx']", UnknownName, "'index'"),
        ("[[tasks]]\ndataset = 'synthetic'\nremove = 0.1", UsageError, "belongs to"),
    ],
)
def test_mistakes_in_tasks_are_named(tmp_path, text, error, words):
    with pytest.raises(error, match=words):
        load_suite(write(tmp_path, f"{text}\n[[methods]]\nname = 'popularity'"))


def test_a_method_names_tasks_that_there_are(tmp_path):
    text = "[[tasks]]\ndataset = 'synthetic'\n[[methods]]\nname = 'popularity'\ntasks = ['sinthetic']"
    with pytest.raises(UnknownName, match="'synthetic'"):
        load_suite(write(tmp_path, text))


def test_the_readme_names_every_suite():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [path.stem for path in (ROOT / "suites").glob("*.toml") if f"`{path.stem}`" not in readme] == []


def test_a_search_draws_nothing_that_the_exact_back_end_does_not_read():
    searches = {search.plan.method: search for search in load_suite(ROOT / "suites" / "tuning.toml").searches}
    assert set(searches["two_tower"].ranges) == {"dim", "dropout", "learning_rate"}


@pytest.mark.parametrize(
    ("name", "trained", "runs"),
    [
        ("dvf-structure", 14, 14), ("dvf-index", 3, 45), ("dvf-adversarial", 9, 27), ("dvf-beam", 3, 45),
        ("dvf-ablation", 4, 21), ("dvf-fresh", 6, 9), ("dvf-scale", 4, 4), ("tree-structure", 30, 120),
        ("tree-training", 30, 30), ("tree-rounds", 7, 7), ("tree-beam", 9, 54), ("dr-paths", 5, 25),
        ("dr-penalty", 5, 5), ("dr-rounds", 6, 6), ("dr-rerank", 2, 19), ("dr-generative", 3, 6),
        ("dr-baselines", 12, 12),
    ],
)  # fmt: skip
def test_the_suites_share_trainings(name, trained, runs):
    plans = load_suite(ROOT / "suites" / f"{name}.toml").plans
    assert (trainings(plans), len(plans)) == (trained, runs)


def test_a_method_may_be_run_with_some_of_the_seeds(tmp_path):
    text = """
        seeds = [0, 1, 2]
        datasets = ["synthetic"]
        [[methods]]
        name = "item_cf"
        [[methods]]
        name = "popularity"
        seeds = [0]
        """
    suite = load_suite(write(tmp_path, text))
    assert [(plan.method, plan.seed) for plan in suite.plans] == [
        ("item_cf", 0),
        ("popularity", 0),
        ("item_cf", 1),
        ("item_cf", 2),
    ]
    with pytest.raises(
        UsageError, match=r"seed 4 of \[\[methods\]\] number 2 is none of the suite's seeds, \[0, 1, 2\]"
    ):
        load_suite(write(tmp_path, text.replace("seeds = [0]", "seeds = [4]")))
