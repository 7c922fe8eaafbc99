"""Dataset to batches: sizes, augmentation, buckets, shuffle, shards, prefetch.

Which examples make batch number k of a run is a pure function of (data, settings, seed, k). So the
position in the data is one number, a resumed run goes on with the very next batch, and neither the
number of worker threads or processes nor the number of hosts changes what is seen.
"""

from im2latex_jax.input_pipeline.batches import Batch as Batch
from im2latex_jax.input_pipeline.batches import BatchSource as BatchSource
from im2latex_jax.input_pipeline.batches import Example as Example
from im2latex_jax.input_pipeline.batches import batch_shapes as batch_shapes
from im2latex_jax.input_pipeline.batches import collate as collate
from im2latex_jax.input_pipeline.batches import iterate as iterate
from im2latex_jax.input_pipeline.buckets import Bucket as Bucket
from im2latex_jax.input_pipeline.buckets import Sizes as Sizes
from im2latex_jax.input_pipeline.buckets import assign as assign
from im2latex_jax.input_pipeline.buckets import largest as largest
from im2latex_jax.input_pipeline.buckets import plan_buckets as plan_buckets
from im2latex_jax.input_pipeline.plans import Curriculum as Curriculum
from im2latex_jax.input_pipeline.plans import EvaluationPlan as EvaluationPlan
from im2latex_jax.input_pipeline.plans import TrainingPlan as TrainingPlan
from im2latex_jax.input_pipeline.plans import useful_work_share as useful_work_share
