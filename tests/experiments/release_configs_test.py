import pytest

from experiments.configs import release, release_data
from experiments.tools import release_formulas
from im2latex_jax.config import check
from im2latex_jax.datasets.corpus.looks import check_looks


@pytest.mark.parametrize("stage", release.STAGES)
def test_every_stage_has_one_vocabulary_and_the_limits_of_its_parts(stage):
    config = release.get_config(stage)
    check(config)
    parts = [release_data.get_config(name) for name in config.dataset.options.folders]
    assert len(config.dataset.options.repeats) == len(parts)
    assert config.dataset.vocabulary == release.get_config("first").dataset.vocabulary
    for part in parts:
        assert part.dataset.options.max_height + 8 <= config.limits.max_height
        assert part.dataset.options.max_width + 8 <= config.limits.max_width
        assert part.dataset.options.max_tokens < config.limits.max_length


def test_there_is_a_part_for_every_list_that_is_gathered():
    papers = {f"papers-{number}" for number in range(release_formulas.NUM_PAPERS)}
    everyday = {f"everyday-{number}" for number in range(release_formulas.NUM_EVERYDAY)}
    assert set(release_data.LOOKS) == {"official", "self"} | papers | everyday
    for looks in release_data.LOOKS.values():
        assert check_looks(looks)


def test_an_unknown_stage_or_part_is_named():
    with pytest.raises(ValueError, match="choose first, second, last"):
        release.get_config("third")
    with pytest.raises(ValueError, match="no part 'x'"):
        release_data.get_config("x")
