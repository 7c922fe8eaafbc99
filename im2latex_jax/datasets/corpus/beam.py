"""The corpus builder on Apache Beam: the same stages, and the same records, on a cluster.

Lists of formulas, lists to exclude and the folder of data sets must lie where every worker finds
them under the same path, and every worker needs this package and TeX.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import tensorflow_datasets as tfds
from apache_beam.options.pipeline_options import PipelineOptions
from etils import epath

from im2latex_jax.datasets.corpus import builder, card, drawing, selection
from im2latex_jax.datasets.corpus.looks import Look
from im2latex_jax.datasets.corpus.selection import SPLITS, Candidate, Rejected
from im2latex_jax.datasets.corpus.sources import Line, Source, unique_names

# What a stage tells the data card: a method of `card.Tally`, and its arguments.
_EVENTS = "events"


class BeamCorpus(builder.Corpus, skip_registration=True):  # type: ignore[call-arg]
    """`builder.Corpus`, built by Apache Beam.

    The records and the data card are those of `builder.Corpus`. A runner repeats what a lost worker
    had to do; a build that was interrupted as a whole starts anew.

    Args (besides those of TFDS):
      options: of the pipeline, as on Beam's command line: `--runner=FlinkRunner` and so on.
    """

    name = "corpus"  # the same folder, where `datasets.load` finds it

    def __init__(self, *, options: Sequence[str] = (), **arguments: Any):
        super().__init__(num_workers=0, **arguments)
        self._options = list(options)

    def download_and_prepare(self, **arguments: Any) -> None:
        """Builds the data set unless it is there; see TFDS."""
        config = tfds.download.DownloadConfig(beam_options=PipelineOptions(self._options))
        tfds.core.GeneratorBasedBuilder.download_and_prepare(
            self, download_config=config, **arguments
        )

    def _split_generators(  # type: ignore[override]
        self, dl_manager: tfds.download.DownloadManager, pipeline: beam.Pipeline
    ) -> dict[str, beam.PCollection]:
        config = self.builder_config
        sources, rules = config.sources(), config.rules()
        names = unique_names([source.path for source in sources])
        excluded, refused = config.excluded()
        read = (
            pipeline
            | "Sources" >> beam.Create(list(enumerate(sources)))
            | "Read" >> beam.FlatMap(_read).with_outputs(_EVENTS, main="lines")
        )
        prepared = (
            read.lines
            | "Spread" >> beam.Reshuffle()
            | "Normalize" >> beam.FlatMap(_prepare, rules).with_outputs(_EVENTS, main="candidates")
        )
        chosen = (
            prepared.candidates
            | "Duplicates" >> beam.GroupByKey()
            | "Choose"
            >> beam.FlatMap(_choose, excluded, rules).with_outputs(_EVENTS, main="chosen")
        )
        styled = chosen.chosen | "Style" >> beam.Map(_style, config.look_of)
        documents = styled | "Count" >> beam.combiners.Count.PerKey()
        finished = (
            styled
            | "Deal" >> beam.Map(_deal, beam.pvalue.AsDict(documents))
            | "Batch" >> beam.GroupByKey()
            | "Draw" >> beam.FlatMap(_draw, config.tools())
            | "Finish"
            >> beam.FlatMap(_finish, config.limits(), names).with_outputs(_EVENTS, *SPLITS)
        )
        tally = card.Tally(config.settings(), names)
        tally.exclude(len(excluded), refused)
        _ = (
            (read[_EVENTS], prepared[_EVENTS], chosen[_EVENTS], finished[_EVENTS])
            | "Events" >> beam.Flatten()
            | "Tally" >> beam.CombineGlobally(_TallyFn(config.settings(), names))
            | "Card" >> beam.Map(_write_card, tally, self.data_dir)
        )
        return {split: finished[split] for split in SPLITS}


def _event(method: str, *arguments: Any) -> beam.pvalue.TaggedOutput:
    return beam.pvalue.TaggedOutput(_EVENTS, (method, arguments))


def _read(numbered: tuple[int, Source]) -> Iterator:
    number, source = numbered
    for line in source.lines():
        yield number, line
    yield _event("read", number, card.describe(source))


def _prepare(numbered: tuple[int, Line], rules: selection.Rules) -> Iterator:
    (result,) = selection.prepare_chunk(rules, [numbered])
    if isinstance(result, Rejected):
        yield _event("reject", result)
    else:
        yield result.digest, result


def _choose(same: tuple[bytes, Any], excluded: set[bytes], rules: selection.Rules) -> Iterator:
    chosen, left_out = selection.choose(sorted(same[1]), excluded, rules)
    for split, rejected in left_out:
        yield _event("reject", rejected, split)
    for split, candidates in chosen.items():
        for candidate in candidates:
            yield split, candidate


def _style(chosen: tuple[str, Candidate], look_of: Callable[[Candidate], Look]) -> tuple[Any, Any]:
    look = look_of(chosen[1])
    return look.document, (*chosen, look)


def _deal(styled: tuple, documents: dict) -> tuple[Any, Any]:
    """Cuts the formulas of a document into parts of about the right size, by chance."""
    document, (split, candidate, look) = styled
    parts = -(-documents[document] // drawing.CHUNK)
    part = int.from_bytes(candidate.digest) % parts
    return (*document, part), (split, candidate, look)


def _draw(batch: tuple[Any, Any], tools: drawing.Tools) -> Iterator:
    members = list(batch[1])
    formulas = [candidate.formula for _, candidate, _ in members]
    pictures = drawing.draw_pictures(tools, formulas, [look for _, _, look in members])
    for (split, candidate, _), picture in zip(members, pictures, strict=True):
        yield split, candidate, picture


def _finish(drawn: tuple, limits: drawing.Limits, names: Sequence[str]) -> Iterator:
    split, candidate, picture = drawn
    reason = drawing.problem(picture, limits)
    if reason:
        yield _event("reject", Rejected(candidate.source, candidate.line, reason), split)
    else:
        yield _event("keep", split, candidate, picture.size)
        record = builder.record(names[candidate.source], candidate, picture)
        yield beam.pvalue.TaggedOutput(split, record)


class _TallyFn(beam.CombineFn):
    """Sums the events of all workers up."""

    def __init__(self, settings: dict[str, Any], names: list[str]):
        self._arguments = settings, names

    def create_accumulator(self) -> card.Tally:
        return card.Tally(*self._arguments)

    def add_input(self, tally: card.Tally, event: tuple[str, tuple]) -> card.Tally:
        method, arguments = event
        getattr(tally, method)(*arguments)
        return tally

    def merge_accumulators(self, tallies) -> card.Tally:
        total = self.create_accumulator()
        for tally in tallies:
            total.merge(tally)
        return total

    def extract_output(self, tally: card.Tally) -> card.Tally:
        return tally


def _write_card(counted: card.Tally, start: card.Tally, folder: str) -> None:
    start.merge(counted)
    start.write(epath.Path(folder))
