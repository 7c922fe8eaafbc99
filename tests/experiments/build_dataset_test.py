import subprocess
import sys


def build(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "experiments.tools.build_dataset", "--num_workers=0", *arguments],
        capture_output=True,
        text=True,
    )


def test_builds_a_corpus_and_says_where(tmp_path):
    formulas = tmp_path / "formulas.txt"
    formulas.write_text("".join(f"x_{{{n}}}+{n}\n" for n in range(60)), "utf-8")
    done = build(
        f"--config.dataset.data_dir={tmp_path}",
        f"--config.dataset.options.files=('{formulas}',)",
        *(f"--config.dataset.options.{role}_column=" for role in ("formula", "group", "kind")),
        "--config.dataset.options.kinds=()",
        "--config.dataset.options.engine=mathtext",
        "--config.dataset.options.validation_share=0.1",
        "--config.dataset.options.test_share=0.1",
    )
    assert done.returncode == 0, done.stderr
    folder, *splits = done.stdout.splitlines()
    assert folder.startswith(str(tmp_path))
    assert sum(int(line.split()[1]) for line in splits[:3]) == 60


def test_a_setting_that_does_not_exist_is_one_line():
    done = build("--config.dataset.no_such_key=1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: the configuration has no such key: 'no_such_key'\n"


def test_a_missing_list_is_one_line(tmp_path):
    done = build(
        f"--config.dataset.data_dir={tmp_path}", "--config.dataset.options.files=('no.tsv',)"
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
