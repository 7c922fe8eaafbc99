"""Reading im2latex-100k releases: the real sample, and tiny made-up ones."""

import functools
import http.server
import pathlib
import shutil
import tarfile
import threading

import cv2
import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from tensorflow_datasets.core.download.util import DownloadError

from im2latex_jax import datasets
from im2latex_jax.datasets.im2latex_100k import release
from im2latex_jax.datasets.im2latex_100k.builder import Im2latex100k, Im2latex100kConfig
from im2latex_jax.errors import Im2latexError
from im2latex_jax.rendering import mathtext


def write_page(path: pathlib.Path, formula: str, height: int = 600, width: int = 500) -> None:
    """A page as the release has them: palette with transparency, the formula at 200 dpi."""
    alpha = np.zeros((height, width), np.uint8)
    ink = 255 - mathtext.draw(formula, font_size=12, dpi=200)
    alpha[90 : 90 + ink.shape[0], 70 : 70 + ink.shape[1]] = ink
    page = Image.fromarray(alpha)
    page.putpalette([0] * 768)
    page.save(path, transparency=bytes(range(256)))


FORMULAS = ["x + 1", r"\frac{1}{2}", "a_1^2", "y = 2", "z", r"\alpha\beta", "{ unbalanced", "n"]
NORMAL = ["x + 1", r"\frac { 1 } { 2 }", "a _ { 1 } ^ { 2 }", "y = 2", "z", r"\alpha \beta"]


@pytest.fixture
def folder(tmp_path) -> pathlib.Path:
    """A release of eight formulas: 0 to 3 for training, 4 validation, 5 test; 6 and 7 unused."""
    folder = tmp_path / "release"
    (folder / release.IMAGES).mkdir(parents=True)
    (folder / release.FORMULAS).write_bytes("\n".join(FORMULAS).encode("latin-1") + b"\n")
    lists = {"train": [0, 1, 2, 3], "validation": [4], "test": [5]}
    for split, indices in lists.items():
        lines = [f"{index} page{index} basic\n" for index in indices]
        (folder / release.LISTS[split]).write_text("".join(lines))
        for index in indices:
            write_page(folder / release.IMAGES / f"page{index}.png", NORMAL[index])
    return folder


def load(tmp_path: pathlib.Path, source: pathlib.Path, **settings):
    return datasets.load(
        "im2latex_100k", tmp_path / "data", source=str(source), num_workers=0, **settings
    )


def rejected(splits) -> list[list[str]]:
    path = pathlib.Path(splits["train"].directory) / "rejected.tsv"
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "split\tline\timage\treason"
    return [line.split("\t") for line in lines[1:]]


def test_reads_a_release(folder, tmp_path):
    splits = load(tmp_path, folder)
    assert splits["train"].formulas == NORMAL[:4]
    assert splits["validation"].formulas == NORMAL[4:5]
    assert splits["test"].formulas == NORMAL[5:]
    assert [splits["train"][index]["id"] for index in range(4)] == [
        "page0",
        "page1",
        "page2",
        "page3",
    ]
    assert rejected(splits) == []


def test_pictures_are_the_formula_alone_at_half_size(folder, tmp_path):
    split = load(tmp_path, folder)["train"]
    for index, formula in enumerate(NORMAL[:4]):
        record = split[index]
        picture = cv2.imdecode(np.frombuffer(record["image"], np.uint8), cv2.IMREAD_UNCHANGED)
        drawn = mathtext.draw(formula, font_size=12, dpi=200).astype(float)
        drawn = np.pad(drawn, [(0, side % 2) for side in drawn.shape], constant_values=255)
        height, width = drawn.shape[0] // 2, drawn.shape[1] // 2
        halved = drawn.reshape(height, 2, width, 2).mean(axis=(1, 3))
        assert picture.shape == (record["height"], record["width"]) == (height, width)
        assert np.abs(picture - halved).max() <= 1


def test_bad_entries_are_left_out_counted_and_listed(folder, tmp_path, caplog):
    images = folder / release.IMAGES
    (images / "page0.png").unlink()
    (images / "page1.png").write_bytes((images / "page1.png").read_bytes()[:200])
    Image.new("L", (300, 300), 255).save(images / "blank.png")
    write_page(images / "wide.png", "x" * 60, width=2500)
    shutil.copy(images / "page2.png", images / "page6.png")
    (folder / release.LISTS["train"]).write_text(
        "0 page0 basic\n1 page1 basic\n7 blank basic\n7 wide basic\n6 page6 basic\n2 page2 basic\n"
    )
    splits = load(tmp_path, folder, max_width=300)
    assert splits["train"].formulas == ["a _ { 1 } ^ { 2 }"]
    found = {image: (split, line, reason) for split, line, image, reason in rejected(splits)}
    assert {image: reason.split(":")[0] for image, (_, _, reason) in found.items()} == {
        "page0": "missing picture",
        "page1": "broken picture",
        "blank": "blank picture",
        "wide": "oversized picture",
        "page6": "unreadable formula",
    }
    assert found["wide"][:2] == ("train", "4")
    assert "5 of 6 entries for train left out" in caplog.text
    assert str(pathlib.Path(splits["train"].directory) / "rejected.tsv") in caplog.text


def test_long_formulas_are_left_out(folder, tmp_path):
    splits = load(tmp_path, folder, max_tokens=3)
    assert splits["train"].formulas == ["x + 1", "y = 2"]
    assert [reason for *_, reason in rejected(splits)] == [
        "long formula: 7 tokens",
        "long formula: 9 tokens",
    ]


def test_only_newlines_end_a_formula_and_the_text_is_latin_1(folder):
    lines = ["x\r+ 1", "a\x0bb\x85c", "r\xe9el", "d", "e", "f"]
    (folder / release.FORMULAS).write_bytes("\n".join(lines).encode("latin-1") + b"\n")
    entries = release.read(release.find(folder))
    assert [entry.formula for entry in entries["train"]] == lines[:4]
    assert entries["test"][0].formula == "f"


def test_blank_lines_and_carriage_returns_in_a_list_do_no_harm(folder):
    (folder / release.LISTS["train"]).write_bytes(b"3 page3 basic\r\n\r\n0 page0 basic")
    entries = release.read(release.find(folder))["train"]
    assert [(entry.name, entry.formula, entry.line) for entry in entries] == [
        ("page3", "y = 2", 1),
        ("page0", "x + 1", 3),
    ]


TRAIN = release.LISTS["train"]


@pytest.mark.parametrize(
    "file, content, message",
    [
        (TRAIN, "0 page0 basic\n8 page1 basic\n", rf"{TRAIN}, line 2: formula index 8 is out of"),
        (TRAIN, "0 page0 basic\n\n-1 page1 basic\n", rf"{TRAIN}, line 3: expected 'formula_index"),
        (TRAIN, "0 page0\n", rf"{TRAIN}, line 1: expected 'formula_index"),
        (TRAIN, "\n0 nopage basic\n", rf"{TRAIN}, line 2: no picture .*nopage.png"),
        (TRAIN, "", rf"{TRAIN}: the file lists no picture"),
        (TRAIN, "6 page0 basic\n", r"none of the 1 entries for train is usable"),
        (release.FORMULAS, "", rf"{release.FORMULAS}: the file is empty"),
        (TRAIN, None, rf"{TRAIN}: file missing"),
        (release.FORMULAS, None, rf"{release.FORMULAS}: file missing"),
    ],
)
def test_a_bad_release_is_refused_in_one_line(folder, tmp_path, file, content, message):
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_text(content)
    with pytest.raises(Im2latexError, match=message) as caught:
        load(tmp_path, folder)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("dataset_info.json"))


def test_missing_folders_are_refused(folder, tmp_path):
    with pytest.raises(Im2latexError, match=r"nowhere: there is no such folder"):
        load(tmp_path, tmp_path / "nowhere")
    shutil.rmtree(folder / release.IMAGES)
    with pytest.raises(Im2latexError, match=rf"{release.IMAGES}: folder missing"):
        load(tmp_path, folder)


def test_other_lists_or_limits_are_another_data_set(folder, tmp_path):
    first = load(tmp_path, folder)["train"]
    assert load(tmp_path, folder)["train"].directory == first.directory
    assert load(tmp_path, folder, max_tokens=5)["train"].directory != first.directory
    (folder / TRAIN).write_text("3 page3 basic\n")
    changed = load(tmp_path, folder)["train"]
    assert changed.directory != first.directory
    assert changed.formulas == ["y = 2"]


def download(tmp_path: pathlib.Path, url: str):
    config = Im2latex100kConfig()
    return datasets.build(
        Im2latex100k, tmp_path / "downloaded", config=config, num_workers=0, record_url=url
    )


def test_downloads_where_no_folder_is_named(folder, tmp_path):
    with tarfile.open(folder / f"{release.IMAGES}.tar.gz", "w:gz") as archive:
        archive.add(folder / release.IMAGES, release.IMAGES)
    expected = load(tmp_path, folder)
    handler = functools.partial(_QuietHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            splits = download(tmp_path, f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()
    for name, split in expected.items():
        assert [splits[name][i] for i in range(len(splits[name]))] == [
            split[i] for i in range(len(split))
        ]


@pytest.mark.parametrize("error", [ConnectionError("no\nroute"), DownloadError("404")])
def test_a_failed_download_says_what_to_do(tmp_path, monkeypatch, error):
    def fail(*args):
        raise error

    # TFDS's own attempts go on for minutes.
    monkeypatch.setattr(tfds.download.DownloadManager, "download", fail)
    with pytest.raises(Im2latexError, match="fetch the release by hand") as caught:
        download(tmp_path, "http://127.0.0.1:9")
    assert "\n" not in str(caught.value)


def test_a_damaged_archive_is_refused(tmp_path):
    archive = tmp_path / f"{release.IMAGES}.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(__file__)
    archive.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(release.ReleaseError, match="damaged archive"):
        release.unpack_images(archive)
    assert list(tmp_path.iterdir()) == [archive]


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def test_real_pages_are_cropped_and_their_formulas_normalized(shared_data, tmp_path):
    sample = shared_data / "im2latex-100k-sample"
    folder = tmp_path / "part"
    folder.mkdir()
    (folder / release.FORMULAS).write_bytes((sample / release.FORMULAS).read_bytes())
    (folder / release.IMAGES).symlink_to(sample / release.IMAGES)
    for name in release.LISTS.values():
        lines = (sample / name).read_text().splitlines(keepends=True)[:25]
        (folder / name).write_text("".join(lines))
    splits = datasets.load("im2latex_100k", tmp_path / "data", source=str(folder), num_workers=2)
    assert sum(len(split) for split in splits.values()) + len(rejected(splits)) == 75
    heights = np.concatenate([split.heights for split in splits.values()])
    widths = np.concatenate([split.widths for split in splits.values()])
    assert len(heights) >= 68
    # The whole set's crops at 200 dpi are 69 x 487 in the median.
    assert 25 <= np.median(heights) <= 45
    assert 180 <= np.median(widths) <= 320
    for index in range(len(splits["train"])):
        record = splits["train"][index]
        picture = cv2.imdecode(np.frombuffer(record["image"], np.uint8), cv2.IMREAD_UNCHANGED)
        for border in (picture[0], picture[-1], picture[:, 0], picture[:, -1]):
            assert border.min() < 255  # cropped to the ink
        assert 0.02 < (picture < 128).mean() < 0.5
