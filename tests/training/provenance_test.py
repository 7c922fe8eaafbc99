"""What a run was made with, and what is said when that changes."""

import json

import pytest

from experiments.configs import tiny
from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex.vocabulary import SPECIAL_TOKENS, Vocabulary
from im2latex_jax.training import provenance

VOCABULARY = Vocabulary((*SPECIAL_TOKENS, "x", "y"))


def test_everything_that_bytes_depend_on_is_written(tmp_path):
    assert provenance.write(tmp_path, tiny.get_config(), "abc", VOCABULARY) == ""
    assert json.loads((tmp_path / "config.json").read_text())["batch_size"] == 8
    environment = json.loads((tmp_path / "environment.json").read_text())
    assert environment["data_fingerprint"] == "abc"
    assert environment["seed"] == 0
    assert environment["packages"]["jax"].count(".") == 2
    assert len(environment["code_sha256"]) == 16
    assert environment["num_devices"] >= 1
    assert environment["backend"] and environment["processor"] and environment["python"]


def test_a_start_with_another_package_is_said_and_kept(tmp_path):
    config = tiny.get_config()
    provenance.write(tmp_path, config, "abc", VOCABULARY)
    path = tmp_path / "environment.json"
    before = json.loads(path.read_text())
    changed = {**before, "packages": {**before["packages"], "optax": "0.0.1"}}
    path.write_text(json.dumps(changed))
    remark = provenance.write(tmp_path, config, "abc", VOCABULARY)
    assert "optax 0.0.1 (now " in remark
    saved = json.loads(path.read_text())
    assert saved.pop("later_starts")[0]["packages"] == before["packages"]
    assert saved == changed
    assert provenance.write(tmp_path, config, "abc", VOCABULARY) == ""


def test_unknown_data_are_not_refused_and_other_data_are(tmp_path):
    config = tiny.get_config()
    provenance.write(tmp_path, config, "abc", VOCABULARY)
    provenance.write(tmp_path, config, None, VOCABULARY)
    with pytest.raises(Im2latexError, match="fingerprint abc, now abd"):
        provenance.write(tmp_path, config, "abd", VOCABULARY)


def test_a_run_from_before_there_was_a_key_goes_on(tmp_path):
    config = tiny.get_config()
    provenance.write(tmp_path, config, "abc", VOCABULARY)
    path = tmp_path / "config.json"
    saved = json.loads(path.read_text())
    del saved["deterministic"]
    path.write_text(json.dumps(saved))
    provenance.check(config, tmp_path)
    config.deterministic = True
    with pytest.raises(Im2latexError, match=r"config\.deterministic was False and is now True"):
        provenance.check(config, tmp_path)


def test_a_folder_that_cannot_hold_a_run_is_refused_before_anything_is_done(tmp_path, monkeypatch):
    config = tiny.get_config()
    file = tmp_path / "file"
    file.touch()
    for workdir in (file, file / "below" / "it"):
        with pytest.raises(Im2latexError, match="file is a file, not a folder"):
            provenance.check(config, workdir)
    provenance.check(config, tmp_path / "to" / "be" / "made")
    assert not (tmp_path / "to").exists()
    # Root may write everywhere: ask in its stead.
    monkeypatch.setattr(provenance.os, "access", lambda folder, _mode: folder != tmp_path)
    with pytest.raises(Im2latexError, match=f"{tmp_path} cannot be written"):
        provenance.check(config, tmp_path / "to" / "be" / "made")


def test_differences_come_in_the_order_of_the_file():
    old, new = ({name: value for name in "qwertyuiop"} for value in (1, 2))
    assert "".join(x[0] for x in provenance.differences(old, new)) == "qwertyuiop"


def test_free_keys_are_free_and_a_damaged_file_is_named(tmp_path):
    config = tiny.get_config()
    provenance.write(tmp_path, config, "abc", VOCABULARY)
    config.num_workers = 3
    config.dataset.on_corrupt = "skip"
    provenance.check(config, tmp_path)
    (tmp_path / "config.json").write_text("{")
    (tmp_path / "environment.json").unlink()
    with pytest.raises(Im2latexError, match=r"config\.json is damaged"):
        provenance.check(config, tmp_path)


def test_the_vocabulary_of_the_first_start_is_kept_and_another_one_refused(tmp_path):
    config = tiny.get_config()
    assert provenance.read_vocabulary(tmp_path) is None
    provenance.write(tmp_path, config, "abc", VOCABULARY)
    assert provenance.read_vocabulary(tmp_path) == VOCABULARY
    other = Vocabulary((*SPECIAL_TOKENS, "y", "x"))
    with pytest.raises(Im2latexError, match="token 4 was 'x' and is now 'y'"):
        provenance.write(tmp_path, config, "abc", other)
    shorter = Vocabulary((*SPECIAL_TOKENS, "x"))
    with pytest.raises(Im2latexError, match=r"6 tokens, now 5; .* token 5 was 'y' and is now None"):
        provenance.check_vocabulary(VOCABULARY, shorter, tmp_path)
    assert provenance.read_vocabulary(tmp_path) == VOCABULARY


def test_checkpoints_without_their_vocabulary_are_refused(tmp_path):
    provenance.write(tmp_path, tiny.get_config(), "abc", VOCABULARY)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "vocabulary.json").unlink()
    with pytest.raises(Im2latexError, match=r"holds a run with no vocabulary\.json"):
        provenance.read_vocabulary(tmp_path)


@pytest.mark.parametrize("content", [None, "", '{"seed"'])
def test_a_lost_configuration_comes_back_from_its_copy(tmp_path, content):
    """As after a power cut: the checkpoints are good."""
    config = tiny.get_config()
    provenance.write(tmp_path, config, "abc", VOCABULARY)
    (tmp_path / "checkpoints").mkdir()
    path = tmp_path / "config.json"
    before = path.read_text()
    path.unlink()
    if content is not None:
        path.write_text(content)
    provenance.check(config, tmp_path)
    with pytest.raises(Im2latexError, match=r"config\.seed was 0 and is now 5"):
        changed = tiny.get_config()
        changed.seed = 5
        provenance.check(changed, tmp_path)
    config.num_threads = 7  # free to change, and not what the run began with
    provenance.write(tmp_path, config, "abc", VOCABULARY)
    assert path.read_text() == before


def test_a_damaged_record_of_the_environment_is_written_anew_and_said(tmp_path):
    config = tiny.get_config()
    provenance.write(tmp_path, config, "abc", VOCABULARY)
    path = tmp_path / "environment.json"
    path.write_text("")
    remark = provenance.write(tmp_path, config, "abc", VOCABULARY)
    assert "environment.json is damaged" in remark and "written anew" in remark
    assert json.loads(path.read_text())["data_fingerprint"] == "abc"
    path.unlink()
    with pytest.raises(Im2latexError, match="another vocabulary"):
        provenance.write(tmp_path, config, "abc", Vocabulary((*SPECIAL_TOKENS, "z")))


def test_what_may_change_is_no_difference(tmp_path):
    config = tiny.get_config()
    provenance.write(tmp_path, config, "abc", VOCABULARY)
    saved = json.loads((tmp_path / "environment.json").read_text())
    assert saved["config"]["num_threads"] == config.num_threads
    other = {**saved, "config": {**saved["config"], "num_threads": 99}}
    assert provenance.differences(saved, other) == []
