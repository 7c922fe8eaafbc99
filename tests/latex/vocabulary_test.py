import pytest

from im2latex_jax.latex.vocabulary import BOS, EOS, PAD, UNK, Vocabulary, VocabularyError


def test_order_is_by_count_then_text_whatever_the_order_of_captions():
    captions = [["b", "a", "x"], ["x", "b"], ["x", "a"]]
    vocabulary = Vocabulary.build(captions)
    assert vocabulary.tokens == ("<pad>", "<bos>", "<eos>", "<unk>", "x", "a", "b")
    assert Vocabulary.build(reversed(captions)) == vocabulary
    assert len(vocabulary) == 7


def test_rare_tokens_and_those_over_the_size_are_left_out():
    captions = [list("aaabbcd")]
    assert Vocabulary.build(captions, min_count=2).tokens[4:] == ("a", "b")
    assert Vocabulary.build(captions, max_size=5).tokens[4:] == ("a",)


def test_encode_and_decode():
    vocabulary = Vocabulary.build([["x", r"\frac", "x"]])
    assert vocabulary.encode(["x", r"\frac", "?"]) == [4, 5, UNK]
    assert vocabulary.decode([BOS, 4, PAD, 5, EOS, 4]) == ["x", r"\frac"]
    assert vocabulary.decode([UNK]) == ["<unk>"]
    for number in (-1, 6):
        with pytest.raises(IndexError):
            vocabulary.decode([number])


def test_special_tokens_in_captions_are_not_doubled():
    assert len(Vocabulary.build([["<pad>", "a"]])) == 5


def test_saved_and_loaded_is_equal(tmp_path):
    vocabulary = Vocabulary.build([["é", "\\", '"', r"\\"]])
    vocabulary.save(tmp_path / "vocabulary.json")
    assert Vocabulary.load(tmp_path / "vocabulary.json") == vocabulary
    assert vocabulary != Vocabulary.build([["a"]])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[1, 2", "not JSON"),
        (b"\xff", "not JSON"),
        (b'{"a": 1}', "list of strings"),
        (b"[1]", "list of strings"),
        (b'["a"]', "begins with"),
        (b'["<pad>", "<bos>", "<eos>", "<unk>", "a", "a"]', "'a' is in the vocabulary twice"),
    ],
)
def test_a_broken_file_is_named_with_its_trouble(tmp_path, content, reason):
    path = tmp_path / "vocabulary.json"
    path.write_bytes(content)
    with pytest.raises(VocabularyError, match=reason) as caught:
        Vocabulary.load(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(VocabularyError, match=r"nowhere\.json"):
        Vocabulary.load(tmp_path / "nowhere.json")
