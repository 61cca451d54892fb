"""What ranks are asked to do (`helpers.ranks.forked`)."""

import torch

from pseudogd import cli, exits
from pseudogd.training import ranks, trainer
from pseudogd.training.recipe import load_recipe
from pseudogd.training.train import run_training


def command(*arguments):
    """`pseudogd` with these arguments; returns its exit code."""
    code = exits.run(cli.app, [str(argument) for argument in arguments])
    print(f"rank {ranks.rank()} {'is still in its group' if torch.distributed.is_initialized() else 'has left'}")
    return code


def train(*recipes):
    """One recipe after another."""
    for path in recipes:
        run_training(load_recipe(path), quiet=True, check=False)


def execute(code):
    """Run a program, given as text, where the test is."""
    exec(compile(code, "the program of the ranks", "exec"), {"__name__": "__main__"})


def before_each_step(do):
    """Have every trainer of this process call `do(trainer)` before its steps."""
    first = trainer.PseudoGDTrainer.before_step

    def before(self):
        do(self)
        return first(self)

    trainer.PseudoGDTrainer.before_step = before


def train_and_say_shares(recipe):
    def say(self):
        if self.state.global_step == 0:
            here = sum(p.to_local().numel() for p in self.model.parameters())
            print(f"rank {ranks.rank()} holds {here / sum(p.numel() for p in self.model.parameters()):.2f}", flush=True)

    before_each_step(say)
    train(recipe)


def train_and_drift(recipe):
    """Rank 1 changes a weight on its own."""

    def drift(self):
        if ranks.rank() == 1 and self.state.global_step == 1:
            with torch.no_grad():
                next(self.model.head.parameters()).add_(1e-3)

    before_each_step(drift)
    train(recipe)
