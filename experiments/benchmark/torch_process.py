"""PYTHON torch_process.py FOLDER plain|best

Trains the network of `torch_model` on the batches of a folder, a block of steps for each line on
standard input, and prints the block's losses and seconds as a line of JSON. Run by
`torch_comparison`, also in an environment that has PyTorch only.

"plain" is float32 with PyTorch's own Adam; "best" has bfloat16 by autocast and fused Adam.
"""

import contextlib
import json
import pathlib
import sys
import time

import numpy as np
import torch
import torch_model


class Trainer:
    """The network, its optimizer, and what `settings.json` says of the run."""

    def __init__(self, folder: pathlib.Path, best: bool):
        self.settings = json.loads((folder / "settings.json").read_text())
        torch.set_num_threads(self.settings["threads"])
        with np.load(folder / "weights.npz") as file:
            self.network = torch_model.Im2Latex(self.settings, _tree(dict(file)))
        self.batches = []
        for number in range(len(self.settings["rates"])):
            with np.load(folder / f"batch-{number}.npz") as file:
                self.batches.append({name: torch.from_numpy(file[name]) for name in file})
        self.best = best
        self.optimizer = torch.optim.Adam(
            self.network.parameters(),
            lr=0.0,
            betas=self.settings["betas"],
            eps=1e-8,
            fused=best or None,
        )

    def loss(self, batch) -> torch.Tensor:
        narrow = torch.autocast("cpu", dtype=torch.bfloat16)
        with narrow if self.best else contextlib.nullcontext():
            logits = self.network(batch["images"], batch["sizes"], batch["tokens"][:, :-1])
        return torch_model.loss(logits.float(), batch["tokens"][:, 1:], self.settings["smoothing"])

    def step(self, number: int) -> float:
        """One step on a batch; the loss before it."""
        self.optimizer.zero_grad()
        loss = self.loss(self.batches[number])
        loss.backward()
        if self.settings["clip_norm"]:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.settings["clip_norm"])
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings["rates"][number]
        self.optimizer.step()
        return loss.item()

    def warm_up(self) -> None:
        """Forward and backward once on each shape."""
        for batch in {tuple(b["images"].shape): b for b in self.batches}.values():
            self.loss(batch).backward()
        self.optimizer.zero_grad()


def _tree(flat: dict[str, np.ndarray]) -> dict:
    """Parameters by nested names from parameters by paths."""
    tree: dict = {}
    for path, value in flat.items():
        *folders, name = path.split("/")
        place = tree
        for folder in folders:
            place = place.setdefault(folder, {})
        place[name] = value
    return tree


def main(folder: str, kind: str) -> None:
    trainer = Trainer(pathlib.Path(folder), kind == "best")
    trainer.warm_up()
    print(json.dumps({"torch": torch.__version__}), flush=True)
    for line in sys.stdin:
        losses, seconds = [], []
        for number in json.loads(line):
            start = time.perf_counter()
            losses.append(trainer.step(number))
            seconds.append(time.perf_counter() - start)
        print(json.dumps({"losses": losses, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
