"""`bench plan` as a user meets it."""

SUITE = """
title = "Two ways"
datasets = ["synthetic:items=300,interactions=20000"]
protocols = ["next-item:users=50"]
timing = "none"
ks = [10]
timeout = 900
[[methods]]
name = "popularity"
[[methods]]
name = "item_cf"
grid = { neighbours = [10, 20] }
"""


def test_a_plan_from_pilots_then_from_the_store(call, tmp_path):
    (tmp_path / "s.toml").write_text(SUITE.partition('[[methods]]\nname = "item_cf"')[0], encoding="utf-8")
    code, out, err = call("plan", "s.toml")
    assert code == 0
    assert "Two ways" in out and "pilots 20%, 40%" in out and "1 of 1 to run: " in out and "free." in out
    assert "done: pilot: popularity on 40%" in err
    assert call("results")[1].count("popularity") == 0  # a pilot is no result
    assert call("sweep", "s.toml", "--quiet")[0] == 0
    assert "0 of 1 to run." in call("plan", "s.toml")[1]
    (tmp_path / "s.toml").write_text(SUITE, encoding="utf-8")
    code, out, _ = call("plan", "s.toml", "--pilot-seconds", "0")
    assert "2 of 3 to run, 2 of them unknown and not counted." in " ".join(out.split())
    assert "! popularity: no earlier run" not in out and "! item_cf neighbours=10: no earlier run, and no pilots" in out


def test_a_wrong_suite_is_refused_before_anything_is_prepared(call, tmp_path):
    (tmp_path / "s.toml").write_text(SUITE.replace("item_cf", "item_fc"), encoding="utf-8")
    code, _, err = call("plan", "s.toml")
    assert code == 2 and "Did you mean 'item_cf'" in err
    assert not (tmp_path / "cache").exists()
