"""PYTHON pix2tex_process.py FOLDER TOKENS THREADS

Times pix2tex on the pictures of a folder, and prints the figures as a line of JSON. Run by
`recognize` in pix2tex's own environment; imports nothing of this project.
"""

import importlib.metadata
import json
import os
import pathlib
import sys
import time

BATCH = 16


def main(folder: str, tokens: int, threads: int) -> None:
    os.environ["OMP_NUM_THREADS"] = str(threads)
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it would ask the network for a newer one

    import numpy as np
    import pix2tex.model
    import torch
    import yaml
    from munch import Munch
    from PIL import Image
    from pix2tex import cli
    from pix2tex.models import get_model
    from transformers import PreTrainedTokenizerFast

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    root = pathlib.Path(pix2tex.model.__file__).parent
    settings = yaml.safe_load((root / "settings" / "config.yaml").read_text())
    arguments = cli.parse_args(Munch(settings))
    arguments.update(wandb=False, device="cpu", no_resize=True)
    # As its constructor does, but for the download of the weights.
    reader = cli.LatexOCR.__new__(cli.LatexOCR)
    reader.args = arguments
    reader.model = get_model(arguments).eval()
    reader.tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(root / "dataset" / "tokenizer.json")
    )
    # So many tokens for each picture: none of them ends it.
    arguments.max_seq_len, arguments.eos_token = tokens, None

    pictures = [Image.open(path).convert("L") for path in sorted(pathlib.Path(folder).glob("*"))]

    def seconds(call, *args) -> float:
        start = time.perf_counter()
        call(*args)
        return time.perf_counter() - start

    seconds(reader, pictures[0])
    single = [seconds(reader, picture) for picture in pictures]

    def tensor(picture):
        picture = cli.minmax_size(
            cli.pad(picture), arguments.max_dimensions, arguments.min_dimensions
        )
        return cli.test_transform(image=np.array(cli.pad(picture).convert("RGB")))["image"][:1]

    def read_batch(batch):
        """pix2tex has no call for several pictures: its network is given a padded batch."""
        inputs = [tensor(picture) for picture in batch]
        height, width = (max(x.shape[axis] for x in inputs) for axis in (1, 2))
        paper = max(float(x.max()) for x in inputs)
        padded = torch.stack(
            [
                torch.nn.functional.pad(
                    x, (0, width - x.shape[2], 0, height - x.shape[1]), value=paper
                )
                for x in inputs
            ]
        )
        written = reader.model.generate(padded, temperature=arguments.get("temperature", 0.25))
        assert written.shape[1] == tokens
        return [cli.post_process(text) for text in cli.token2str(written, reader.tokenizer)]

    many = sorted(pictures * -(-BATCH // len(pictures)), key=lambda picture: picture.size)
    batches = [many[start : start + BATCH] for start in range(0, len(many) - BATCH + 1, BATCH)]
    batched = [seconds(read_batch, batch) for batch in batches]
    figures = {
        "pix2tex": importlib.metadata.version("pix2tex"),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "tokens": tokens,
        "single_ms_median": 1000 * float(np.median(single)),
        "single_ms_p95": 1000 * float(np.percentile(single, 95)),
        "batch_16_ms_per_picture": 1000 * float(np.mean(batched)) / BATCH,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
