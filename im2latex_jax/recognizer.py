"""Reading pictures of formulas with a trained model.

    recognizer = Recognizer.load("runs/quickstart")
    [answer] = recognizer("formula.png")
    answer.latex, answer.confidence

A picture's way: decoded and cropped (`images`), brought to the network's scale (at several scales
where the size of the writing is unsure), put on one of a few canvases with others of its size,
decoded in one compiled program a canvas and batch size, and the most confident of its scales kept.
"""

import collections
import concurrent.futures
import contextlib
import dataclasses
import functools
import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeGuard, TypeVar, cast

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from im2latex_jax import images
from im2latex_jax.decoding import confidence, grammar, search
from im2latex_jax.errors import Im2latexError
from im2latex_jax.formats.formula import Formula
from im2latex_jax.images import layout, writing
from im2latex_jax.input_pipeline import Bucket
from im2latex_jax.latex import lexer, lines
from im2latex_jax.latex.vocabulary import BOS, EOS, PAD
from im2latex_jax.model import saved_model
from im2latex_jax.runtime import backend, compilation

# Images that `stream` prepares at a time: enough for full batches of like sizes.
IMAGES_AHEAD = 512
# Images of a batch at the most on a CPU, whose cache a larger one leaves: with 64 an image takes a
# fifth longer.
MAX_CPU_BATCH = 16
# Writing that is too large for the network is shrunk to this factor at the most; smaller it could
# not be read.
MAX_SHRINK = 0.5
# What is wrong with an image whose answer has no probability.
NOT_A_NUMBER = (
    "the network's answer is not a number (NaN): its weights are damaged, or do not fit this device"
)
# Captions are padded to a multiple of this many steps: few programs.
_STEPS = 32

# Letters of fewer pixels run together; an answer for such an image that is not confident is an
# error, which asks for LEGIBLE_HEIGHT.
SMALL_HEIGHT, LEGIBLE_HEIGHT = 3.0, 8
# Answers that are less confident are probably wrong, see `docs`.
LOW_CONFIDENCE = 0.1
# Images that are so much higher than wide are tried on their side too. That counts where it is
# surer than MIN_TURNED, and TURNED_GAIN times as sure as the upright image.
TALL, MIN_TURNED_MARKS = 1.2, 5
MIN_TURNED, TURNED_GAIN = 0.05, 3.0

Canvas = tuple[int, int]
# Number of an image in its batch, of its version (upright, turned), and of a piece of it.
_Place = tuple[int, int, int]
Size = TypeVar("Size", int, jax.Array)


@dataclasses.dataclass(frozen=True)
class Region:
    """One of several formulas in an image.

    Attributes:
      box: left, top, right and bottom (ends exclusive) in pixels of the image.
      latex: the formula.
      confidence: that the whole formula is right, 0 to 1.
    """

    box: tuple[int, int, int, int]
    latex: str
    confidence: float


@dataclasses.dataclass(frozen=True, eq=False)
class Recognition(Formula):
    """What was read in one picture: `latex`, and other formats, see `Formula`.

    Attributes:
      normal_form: the formula as the network writes it; empty for a blank picture, or where there
        is an error.
      tokens: its tokens.
      confidence: that the whole formula is right, 0 to 1; see `decoding.confidence`.
      probabilities: the network's probability of each token, given those before it.
      log_prob: the network's log-probability of the whole formula, its end included.
      error: why the picture could not be read, in one line, or None.
      note: what the reader should know about the picture (blank, several frames), or None.
      ink: the prepared picture that the network saw, uint8 [height, width], 0 is paper; None where
        there was nothing to see. Of several rows, which are read one by one, all below each other.
      regions: where the image holds several formulas, each of them, from top to bottom; `latex` is
        then all of them, in rows. Else empty.
    """

    tokens: list[str] = dataclasses.field(default_factory=list)
    confidence: float = 0.0
    probabilities: list[float] = dataclasses.field(default_factory=list)
    log_prob: float = -math.inf
    error: str | None = None
    note: str | None = None
    ink: np.ndarray | None = dataclasses.field(default=None, repr=False)
    regions: list[Region] = dataclasses.field(default_factory=list)
    _attend: Callable[[], np.ndarray] | None = dataclasses.field(default=None, repr=False)

    @functools.cached_property
    def attention(self) -> np.ndarray:
        """Where the network looked as it wrote each token: float32 [tokens, rows, columns].

        Weights over the cells of `ink`, the sum of each token's is 1. Computed when first asked
        for, by letting the network write the same tokens again.
        """
        if self._attend is None:
            return np.zeros((0, 0, 0), np.float32)
        return self._attend()


@dataclasses.dataclass(frozen=True)
class _Formula:
    """A formula of a prepared image: which of its pieces are rows of it.

    Attributes:
      found: where it is, and what its rows look like.
      rows: numbers of its rows among the pieces.
      number: number of its equation number among the pieces, or None.
    """

    found: layout.Formula
    rows: Sequence[int]
    number: int | None = None


@dataclasses.dataclass(frozen=True)
class _Prepared:
    """An image ready for the network, or what is wrong with it.

    Attributes:
      pieces: what is read one by one (rows, equation numbers), each at its plausible scales.
      formulas: what the pieces make up; empty where there is one piece and nothing to put together.
      turned: the image turned by a quarter left and right, where it may stand on its side.
      small: the height of its letters in pixels, where they are hardly legible.
    """

    pieces: Sequence[Sequence[np.ndarray]] = ()
    formulas: Sequence[_Formula] = ()
    turned: Sequence["_Prepared"] = ()
    small: float | None = None
    error: str | None = None
    note: str | None = None
    name: str = ""


@dataclasses.dataclass(frozen=True)
class _Answer:
    """What the network wrote for one picture at one scale."""

    ink: np.ndarray
    ids: np.ndarray  # [T], with <eos> where it was written
    log_probs: np.ndarray  # [T]

    @property
    def score(self) -> float:
        """Mean log-probability of a token, by which scales are compared."""
        return float(self.log_probs.mean()) if len(self.log_probs) else -math.inf


class Recognizer:
    """Reads pictures; see the module. One can be shared by threads: nothing in it changes.

    Attributes:
      model: the network, its parameters and vocabulary.
    """

    def __init__(
        self,
        model: saved_model.TrainedModel,
        *,
        rescale: bool | float = True,
        batch_size: int = 16,
        beam_size: int = 1,
        constrain: bool = True,
        dtype: str = "float32",
    ):
        """Wraps a model.

        Args:
          model: see `model_files.load`.
          rescale: True to find the size of the writing in each picture, False for pictures that are
            at the network's scale, or the factor to scale all by.
          batch_size: pictures decoded at a time, at the most.
          beam_size: hypotheses that the search follows; 1 is greedy.
          constrain: whether only formulas are written that compile (see `syntax`).
          dtype: of products and convolutions, "float32" or "bfloat16", whatever the model was
            trained in. bfloat16 gains nothing on CPUs: the products of a decoding step are small.

        Raises:
          Im2latexError: for a setting that makes no sense, or something else than a model.
          BackendError: JAX cannot be used here, see `backend.require`.
        """
        if not isinstance(model, saved_model.TrainedModel):
            raise Im2latexError(
                f"Recognizer takes a TrainedModel, not {type(model).__name__}: "
                "use Recognizer.load(), or Recognizer.load(path)"
            )
        backend.require()
        if min(batch_size, beam_size) < 1:
            raise Im2latexError(
                f"batch_size and beam_size must be at least 1, not {batch_size} and {beam_size}"
            )
        if not isinstance(rescale, bool) and not 0 < rescale < math.inf:
            raise Im2latexError(f"rescale must be a bool or a positive factor, not {rescale}")
        if dtype not in ("float32", "bfloat16"):
            raise Im2latexError(f"dtype must be float32 or bfloat16, not {dtype!r}")
        self.model = saved_model.with_dtype(model, dtype)
        self._rescale = rescale
        self._batch_size = batch_size
        self._canvases = canvases(model.buckets)
        self._rules = grammar.build(model.vocabulary) if constrain else None
        self._beam_size = beam_size
        self._budget = images.PixelBudget()

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None, **settings: Any) -> "Recognizer":
        """Loads a model from its folder or from the work directory of a training run.

        Args:
          path: the folder; by default the weights that the package brings.
          **settings: see `Recognizer`.

        Raises:
          Im2latexError: if there is no model, or it is broken.
        """
        if path is None:
            path = saved_model.packaged()
        return cls(saved_model.load(path), **settings)

    def __call__(self, pictures: images.Source | Iterable[images.Source]) -> list[Recognition]:
        """Reads one picture or several; a `Recognition` each, in their order.

        Args:
          pictures: a picture is a path, a PIL image, an array, the bytes of a file or an open file:
            see `images.read`. A picture that cannot be read has its `error` set.

        Raises:
          Im2latexError: the argument is neither an image nor several.
          BackendError: this process was forked from one that uses JAX.
        """
        if _is_picture(pictures):
            return list(self.stream([pictures]))
        if not isinstance(pictures, Iterable):
            raise Im2latexError(
                f"expected an image or several, not {type(pictures).__name__}: give a path, a PIL "
                "image, an array, the bytes of a file or an open file, or a list of these"
            )
        return list(self.stream(cast(Iterable[images.Source], pictures)))

    def stream(
        self, pictures: Iterable[images.Source], batch_size: int | None = None
    ) -> Iterator[Recognition]:
        """Reads pictures as they come, and yields a `Recognition` each, in their order.

        Args:
          pictures: see `__call__`; `IMAGES_AHEAD` are taken from the iterator ahead.
          batch_size: instead of the recognizer's. With 1 each picture is answered before the next
            is asked for.
        """
        batch_size = self._batch_size if batch_size is None else batch_size
        if batch_size < 1:
            raise Im2latexError(f"batch_size must be at least 1, not {batch_size}")
        backend.check_not_forked()
        if batch_size == 1:
            for picture in pictures:
                yield from self._decode([self._prepare(picture)], batch_size)
            return
        iterator = iter(pictures)
        ahead: collections.deque = collections.deque()
        with concurrent.futures.ThreadPoolExecutor(thread_name_prefix="im2latex") as pool:
            try:
                count = max(IMAGES_AHEAD, batch_size)
                # Each is submitted as it is taken: the next one may be the same object, changed.
                while part := [self._submit(pool, p) for p in itertools.islice(iterator, count)]:
                    ahead.append(part)
                    if len(ahead) > 1:
                        ready = [future.result() for future in ahead.popleft()]
                        yield from self._decode(ready, batch_size)
                for futures in ahead:
                    yield from self._decode([future.result() for future in futures], batch_size)
            finally:
                pool.shutdown(cancel_futures=True)

    def _submit(
        self, pool: concurrent.futures.Executor, picture: images.Source
    ) -> "concurrent.futures.Future[_Prepared]":
        """Prepares a picture in a thread; what may change meanwhile is copied first."""
        held = images.held_pixels(picture)
        taken = self._budget.acquire(held)
        try:
            copy = images.snapshot(picture)
        except Im2latexError as error:
            self._budget.release(taken)
            failed: concurrent.futures.Future[_Prepared] = concurrent.futures.Future()
            failed.set_result(_Prepared(error=str(error)))
            return failed
        future = pool.submit(self._prepare, copy, reserved=held > 0)
        future.add_done_callback(lambda _: self._budget.release(taken))
        return future

    def _prepare(self, picture: images.Source, reserved: bool = False) -> _Prepared:
        """Decodes, crops and scales a picture; never raises for what is wrong with it.

        Args:
          picture: see `__call__`.
          reserved: whether its pixels are counted in the budget already.
        """
        name = images.describe(picture)
        try:
            opened = images.open_image(picture)
            with self._budget.reserve(0 if reserved else opened.height * opened.width):
                return self._prepare_opened(opened)
        except Im2latexError as error:
            return _Prepared(error=str(error))
        except Exception as error:  # Libraries raise nearly anything on hostile images.
            return _Prepared(error=f"{name}: cannot be prepared: {images.one_line(error)}")

    def _prepare_opened(self, opened: images.Opened) -> _Prepared:
        deadline = images.Deadline()
        pixels = opened.pixels()
        deadline.check()
        try:
            if self._rescale is not True:
                ink = images.crop(writing.find(pixels).ink)
                inks = self._scaled(ink, [float(self._rescale) or 1.0])
                return _Prepared([inks], note=opened.frames, name=opened.name)
            prepared = cast(_Prepared, self._laid_out(opened, pixels, deadline))
        except images.BlankImageError as error:
            return _Prepared(note=f"{opened.name}: {error}")
        except Im2latexError as error:
            prepared = _Prepared(error=f"{opened.name}: {error}", name=opened.name)
        height, width = pixels.shape[:2]
        if height < TALL * width:
            return prepared
        turned = []
        for quarters in (1, 3):
            with contextlib.suppress(Im2latexError):
                upright = np.ascontiguousarray(np.rot90(pixels, quarters))
                version = self._laid_out(opened, upright, deadline, quarters)
                if version is not None:
                    turned.append(version)
        return dataclasses.replace(prepared, turned=turned)

    def _laid_out(
        self,
        opened: images.Opened,
        pixels: np.ndarray,
        deadline: images.Deadline,
        quarters: int = 0,
    ) -> _Prepared | None:
        """The formulas of an image whose pixels were turned left by some quarters.

        None where it was turned and is too simple to tell how it stands.

        Raises:
          ImageError: see `layout.find`; or the writing is too small or too large.
        """
        found = layout.find(pixels, deadline)
        if quarters:
            if found.marks < MIN_TURNED_MARKS:
                return None
            found = layout.turned_back(found, quarters, pixels.shape)
        scales = [self.model.scale * factor for factor in found.scales]
        scales = [1.0 if abs(math.log(f)) <= images.SCALE_TOLERANCE else f for f in scales]
        pieces: list[list[np.ndarray]] = []
        formulas = []
        for formula in found.formulas:
            rows = range(len(pieces), len(pieces) + len(formula.inks))
            pieces += [self._scaled(ink, scales) for ink in formula.inks]
            number = None
            if formula.number is not None:
                number = len(pieces)
                pieces.append(self._scaled(formula.number, scales[:1]))
            formulas.append(_Formula(formula, rows, number))
        if len(pieces) == 1 and not formulas[0].found.boxed:
            formulas = []
        small = found.mark_height if found.mark_height <= SMALL_HEIGHT else None
        return _Prepared(pieces, formulas, small=small, note=opened.frames, name=opened.name)

    def _scaled(self, ink: np.ndarray, factors: Sequence[float]) -> list[np.ndarray]:
        """The writing at each of some scales that a canvas holds, margin included."""
        room = np.asarray(self._canvases[-1]) - 2 * images.MARGIN
        fitting = [f for f in factors if (np.rint(np.multiply(ink.shape, f)) <= room).all()]
        if not fitting:
            shrink = float((room / np.multiply(ink.shape, factors[0])).min())
            if shrink < MAX_SHRINK:
                height, width = (round(side * factors[0]) for side in ink.shape)
                raise images.ImageError(
                    f"the writing is {width} x {height} pixels large at the network's scale, which "
                    f"reads up to {room[1]} x {room[0]}; cut out a single formula"
                )
            fitting = [factors[0] * shrink]
        margin = images.MARGIN
        return [
            cv2.copyMakeBorder(
                images.resize(ink, f), margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0
            )
            for f in fitting
        ]

    def _decode(self, prepared: Sequence[_Prepared], batch_size: int) -> list[Recognition]:
        """Reads prepared images in batches of one canvas each."""
        # Each image upright, then turned.
        versions = [(image, *image.turned) for image in prepared]
        groups: dict[Canvas, list[tuple[_Place, np.ndarray]]] = {}
        for image, number in enumerate(versions):
            for version, one in enumerate(number):
                for piece, inks in enumerate(one.pieces):
                    for ink in inks:
                        place = (image, version, piece)
                        groups.setdefault(self._canvas(ink), []).append((place, ink))
        if jax.default_backend() == "cpu":
            batch_size = min(batch_size, MAX_CPU_BATCH)
        best: dict[_Place, _Answer] = {}
        for canvas, members in groups.items():
            # A batch goes on until its last formula ends: put those together that end about the
            # same time.
            members.sort(key=lambda member: token_budget(*member[1].shape))
            for start in range(0, len(members), batch_size):
                part = members[start : start + batch_size]
                answers = self._read_batch([ink for _, ink in part], canvas, batch_size)
                for (place, _), answer in zip(part, answers, strict=True):
                    if place not in best or answer.score > best[place].score:
                        best[place] = answer
        return [
            self._most_confident(
                [
                    self._put_together(
                        one, [best.get((image, version, n)) for n in range(len(one.pieces))]
                    )
                    for version, one in enumerate(prepared_versions)
                ],
                prepared_versions[0],
            )
            for image, prepared_versions in enumerate(versions)
        ]

    def _most_confident(self, versions: Sequence[Recognition], image: _Prepared) -> Recognition:
        """The upright version, unless a turned one is read much better."""
        best, *turned = versions
        for other in turned:
            if other.tokens and other.confidence > max(MIN_TURNED, TURNED_GAIN * best.confidence):
                best = other
        if image.small is not None and best.error is None and best.confidence < LOW_CONFIDENCE:
            error = (
                f"{image.name}: the writing is too small: its letters are about "
                f"{image.small:.0f} pixels high, and {LEGIBLE_HEIGHT} are needed; take a larger "
                "image"
            )
            return Recognition(error=error, ink=best.ink)
        return best

    def _put_together(self, image: _Prepared, answers: Sequence[_Answer | None]) -> Recognition:
        """One answer out of those of an image's pieces."""
        if not answers:
            return self._recognition(image, None)
        pieces = [self._recognition(image, answer) for answer in answers]
        failed = next((piece for piece in pieces if piece.error is not None), None)
        if failed is not None or not image.formulas:
            return failed or pieces[0]
        formulas = [self._formula(formula, pieces) for formula in image.formulas]
        regions = []
        for formula, read in zip(image.formulas, formulas, strict=True):
            if formula.found.aligned or len(formula.rows) == 1:
                regions.append(Region(formula.found.box, read.latex, read.confidence))
                continue
            for box, row in zip(formula.found.boxes, formula.rows, strict=True):
                regions.append(Region(box, pieces[row].latex, pieces[row].confidence))
        whole = formulas[0] if len(formulas) == 1 else self._joined(formulas, aligned=False)
        return dataclasses.replace(whole, regions=regions if len(regions) > 1 else [])

    def _formula(self, formula: _Formula, pieces: Sequence[Recognition]) -> Recognition:
        """One formula out of its rows, its number and its box."""
        rows = [pieces[row] for row in formula.rows]
        read = rows[0] if len(rows) == 1 else self._joined(rows, aligned=formula.found.aligned)
        if formula.found.boxed:
            read = self._extended(read, [r"\boxed", "{"], ["}"])
        if formula.number is not None:
            number = pieces[formula.number].tokens
            brackets = number[:1], number[-1:]
            if brackets in ((["("], [")"]), ([r"\left("], [r"\right)"])):
                read = self._extended(read, [], [r"\tag", "{", *number[1:-1], "}"])
        return read

    def _joined(self, rows: Sequence[Recognition], *, aligned: bool) -> Recognition:
        """Rows that were read one by one, as one formula."""
        tokens, origins = lines.join([row.tokens for row in rows], aligned=aligned)
        probabilities = [
            rows[row].probabilities[position] if row >= 0 else 1.0 for row, position in origins
        ]
        log_prob = sum(row.log_prob for row in rows)
        return Recognition(
            normal_form=lexer.detokenize(tokens),
            tokens=tokens,
            confidence=confidence.from_log_prob(log_prob, self.model.temperature),
            probabilities=probabilities,
            log_prob=log_prob,
            note=rows[0].note,
            ink=_stacked(
                [row.ink for row in rows if row.ink is not None],
                self.model.network.encoder.stride[0],
            ),
            _attend=functools.partial(self._stacked_attention, rows, origins),
        )

    def _extended(
        self, read: Recognition, before: Sequence[str], after: Sequence[str]
    ) -> Recognition:
        """A formula with tokens that were not read by the network around it."""
        tokens = [*before, *read.tokens, *after]

        def attend() -> np.ndarray:
            margins = (len(before), len(after)), (0, 0), (0, 0)
            return np.pad(read.attention, margins)

        return dataclasses.replace(
            read,
            normal_form=lexer.detokenize(tokens),
            tokens=tokens,
            probabilities=[1.0] * len(before) + read.probabilities + [1.0] * len(after),
            _attend=attend,
        )

    def _stacked_attention(
        self, rows: Sequence[Recognition], origins: Sequence[tuple[int, int]]
    ) -> np.ndarray:
        """Attention of rows below each other, 0 for tokens that stand between them."""
        parts = [row.attention for row in rows]
        tops = np.cumsum([0, *(part.shape[1] for part in parts)])
        columns = max(part.shape[2] for part in parts)
        stacked = np.zeros((len(origins), tops[-1], columns), np.float32)
        for token, (row, position) in enumerate(origins):
            if row >= 0:
                part = parts[row][position]
                stacked[token, tops[row] : tops[row + 1], : part.shape[1]] = part
        return stacked

    def _canvas(self, ink: np.ndarray) -> Canvas:
        """The smallest canvas that holds a picture."""
        height, width = ink.shape
        return next(c for c in self._canvases if height <= c[0] and width <= c[1])

    def _fits(self, ink: np.ndarray) -> bool:
        """Whether a canvas holds an image: several rows below each other may be too high."""
        return any(
            ink.shape[0] <= rows and ink.shape[1] <= columns for rows, columns in self._canvases
        )

    def _read_batch(
        self, inks: Sequence[np.ndarray], canvas: Canvas, batch_size: int
    ) -> list[_Answer]:
        rows = _padded_batch(len(inks), batch_size)
        pictures, sizes = _collate(inks, canvas, rows)
        budgets = np.zeros(rows, np.int32)  # 0 for fillers: they end before they begin
        budgets[: len(inks)] = [token_budget(*ink.shape) for ink in inks]
        tokens, log_probs = jax.device_get(
            _read(
                self.model.params,
                pictures,
                sizes,
                budgets,
                network=self.model.network,
                rules=self._rules,
                beam_size=self._beam_size,
                max_length=token_budget(*canvas),
            )
        )
        lengths = (tokens != PAD).sum(axis=1)
        return [
            _Answer(ink, tokens[row, : lengths[row]], log_probs[row, : lengths[row]])
            for row, ink in enumerate(inks)
        ]

    def _recognition(self, picture: _Prepared, answer: _Answer | None) -> Recognition:
        if answer is None:
            return Recognition(error=picture.error, note=picture.note)
        log_prob = float(answer.log_probs.sum())
        # A beam drops what is not a number, and then nothing is left.
        if math.isnan(log_prob) or not len(answer.log_probs):
            return Recognition(error=f"{picture.name}: {NOT_A_NUMBER}", ink=answer.ink)
        tokens = self.model.vocabulary.decode(answer.ids)
        return Recognition(
            normal_form=lexer.detokenize(tokens),
            tokens=tokens,
            confidence=confidence.from_log_prob(log_prob, self.model.temperature),
            probabilities=np.exp(answer.log_probs[: len(tokens)]).tolist(),
            log_prob=log_prob,
            note=picture.note,
            ink=answer.ink,
            _attend=functools.partial(self._attention, answer.ink, answer.ids[: len(tokens)]),
        )

    def loss(self, answers: Iterable[Recognition], truths: Iterable[Sequence[str]]) -> float:
        """Mean cross-entropy of a token of the true formulas (<eos> included), teacher-forced.

        Args:
          answers: what was read; those without a prepared picture do not count.
          truths: the tokens of each picture's formula.

        Returns:
          The mean over all tokens; NaN where there is no picture.
        """
        groups: dict[tuple[Canvas, int], list[tuple[np.ndarray, list[int]]]] = {}
        for answer, truth in zip(answers, truths, strict=True):
            if answer.ink is not None and self._fits(answer.ink):
                ids = [BOS, *self.model.vocabulary.encode(truth), EOS]
                steps = -(-len(ids) // _STEPS) * _STEPS
                groups.setdefault((self._canvas(answer.ink), steps), []).append((answer.ink, ids))
        total = count = 0.0
        for (canvas, steps), members in groups.items():
            for start in range(0, len(members), self._batch_size):
                inks, captions = zip(*members[start : start + self._batch_size], strict=True)
                rows = _padded_batch(len(inks), self._batch_size)
                tokens = np.full((rows, steps), PAD, np.int32)
                for row, ids in enumerate(captions):
                    tokens[row, : len(ids)] = ids
                pictures, sizes = _collate(inks, canvas, rows)
                total += float(
                    _loss(self.model.params, pictures, sizes, tokens, network=self.model.network)
                )
                count += sum(map(len, captions)) - len(captions)  # <bos> is not predicted
        return total / count if count else math.nan

    def _attention(self, ink: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Attention weights [tokens, rows, columns] of the cells that hold any of the picture."""
        canvas = self._canvas(ink)
        pictures, sizes = _collate([ink], canvas, 1)
        tokens = np.full((1, token_budget(*canvas)), PAD, np.int32)
        tokens[0, : len(ids)] = ids
        network = self.model.network
        weights = jax.device_get(
            _attend(self.model.params, pictures, sizes, tokens, network=network)
        )
        stride = network.encoder.stride
        rows, columns = (-(-side // step) for side, step in zip(ink.shape, stride, strict=True))
        grid = weights[0, : len(ids)].reshape(len(ids), *np.floor_divide(canvas, stride))
        return grid[:, :rows, :columns]


@compilation.jit(static_argnames=("network", "rules", "beam_size", "max_length"))
def _read(params, pictures, sizes, budgets, *, network, rules, beam_size: int, max_length: int):
    """Tokens and log-probabilities [B, T] of pictures; compiled once for all recognizers."""
    if beam_size == 1:
        return search.greedy(
            network, params, pictures, sizes, max_length, budgets=budgets, syntax=rules
        )
    found = search.beam(
        network, params, pictures, sizes, max_length, beam_size, budgets=budgets, syntax=rules
    )
    return found.tokens[:, 0], found.log_probs[:, 0]


@compilation.jit(static_argnames="network")
def _attend(params, pictures, sizes, tokens, *, network):
    """Attention weights [B, T, P] with which pictures' tokens were written."""
    return search.follow(network, params, pictures, sizes, tokens)[1]


@compilation.jit(static_argnames="network")
def _loss(params, pictures, sizes, tokens, *, network):
    """Sum of the cross-entropies of tokens [B, T], which begin with <bos>."""
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    logits, _ = network.apply({"params": params}, pictures, sizes, inputs)
    log_probs = jnp.take_along_axis(jax.nn.log_softmax(logits), targets[..., None], axis=-1)
    return -jnp.where(targets == PAD, 0.0, log_probs[..., 0]).sum()


def token_budget(height: Size, width: Size) -> Size:
    """Tokens (<eos> included) that a formula may take, from its prepared picture's size in pixels.

    A bound over 16,000 synthetic formulas and 292 of im2latex-100k, of which it is about three
    times the length in the median: 32 + 0.45 (width + width height / 100), rounded up.
    """
    return 32 - (-9 * width * (100 + height) // 2000)


def canvases(buckets: Iterable[Bucket]) -> list[Canvas]:
    """The shapes that the network was trained on and one that holds all, by area."""
    distinct = {(bucket.height, bucket.width) for bucket in buckets}
    roof = max(height for height, _ in distinct), max(width for _, width in distinct)
    return sorted(distinct | {roof}, key=lambda canvas: (canvas[0] * canvas[1], canvas))


def _padded_batch(count: int, batch_size: int) -> int:
    """Rows of the batch that `count` pictures are filled up to: few sizes, so few programs."""
    rows = 1
    while rows < count:
        rows *= 4
    return min(rows, batch_size)


def _collate(
    inks: Sequence[np.ndarray], canvas: Canvas, rows: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pictures [rows, H, W, 1] in their upper left corners, and sizes [rows, 2], fillers last."""
    pictures = np.zeros((rows, *canvas, 1), np.uint8)
    sizes = np.ones((rows, 2), np.int32)
    for row, ink in enumerate(inks):
        pictures[row, : ink.shape[0], : ink.shape[1], 0] = ink
        sizes[row] = ink.shape
    return pictures, sizes


def _stacked(inks: Sequence[np.ndarray], stride: int) -> np.ndarray:
    """Images below each other, each one's height filled up to a multiple of `stride`."""
    width = max(ink.shape[1] for ink in inks)
    return np.vstack([
        np.pad(ink, ((0, -ink.shape[0] % stride), (0, width - ink.shape[1]))) for ink in inks
    ])  # fmt: skip


def _is_picture(value: Any) -> TypeGuard[images.Source]:
    """Whether a value is one picture rather than a collection of them."""
    if isinstance(value, np.ndarray):
        return value.ndim <= 3
    return (
        isinstance(value, (str, os.PathLike, bytes, bytearray, memoryview))
        or hasattr(value, "read")
        or hasattr(value, "getpixel")
    )
