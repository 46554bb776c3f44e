"""What a record says of the machine and the source."""

import subprocess

from bench.measure import machine


def test_an_installation_inside_another_projects_checkout_does_not_take_its_commit(tmp_path):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    (tmp_path / "mine.py").write_text("")
    subprocess.run([*git, "add", "mine.py"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "mine"], check=True)
    installed = tmp_path / "site-packages"
    installed.mkdir()
    (installed / "bench.py").write_text("")
    assert machine.git_state(installed) == {}
    found = machine.git_state(tmp_path)
    assert len(found["commit"]) == 40
    assert found["dirty"] is False
