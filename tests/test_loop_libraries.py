"""Training loops of libraries as loops of a task: Lightning, Transformers, stable-baselines3."""

from dataclasses import replace
from itertools import islice

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from raynas.data import Loop, LoopData
from raynas.execution.worker import TrainingContext, TrialSpec, train
from raynas.training.recipe import Recipe

pytestmark = pytest.mark.filterwarnings("ignore")

GENERATOR = torch.Generator().manual_seed(0)
INPUTS = torch.randn(64, 4, generator=GENERATOR)
LABELS = (INPUTS[:, 0] * INPUTS[:, 1] > 0).long()


def build(architecture):
    width = architecture["width"]
    return nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 2))


# [lightning]
def fit_lightning(child, context):
    import lightning

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.child = child

        def training_step(self, batch, _):
            return nn.functional.cross_entropy(child(batch[0]), batch[1])

        def validation_step(self, batch, _):
            self.log("val_loss", nn.functional.cross_entropy(child(batch[0]), batch[1]))

        def configure_optimizers(self):
            return torch.optim.Adam(child.parameters(), lr=0.01)

    class Reporting(lightning.Callback):
        def on_train_epoch_end(self, trainer, _):
            trainer.save_checkpoint(context.directory / "last.ckpt")
            metrics = {"val_loss": trainer.callback_metrics["val_loss"]}
            trainer.should_stop |= not context.report(metrics, context.directory / "last.ckpt")

    trainer = lightning.Trainer(
        max_epochs=context.last_epoch, callbacks=[Reporting()], accelerator=context.device.type,
        default_root_dir=context.directory, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    data = TensorDataset(INPUTS, LABELS)
    trainer.fit(Module(), DataLoader(data, 16, shuffle=True), DataLoader(data, 64),
                ckpt_path=context.checkpoint)  # fmt: skip


# [end]


# [transformers]
def fit_transformers(child, context):
    import transformers

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.child = child

        def forward(self, inputs, labels):
            return {"loss": nn.functional.cross_entropy(logits := child(inputs), labels),
                    "logits": logits}  # fmt: skip

    class Reporting(transformers.TrainerCallback):
        def on_save(self, args, state, control, **_):
            folder = context.directory / f"checkpoint-{state.global_step}"
            go_on = context.report({"val_loss": state.log_history[-1]["eval_loss"]}, folder)
            control.should_training_stop |= not go_on

    data = [{"inputs": x, "labels": y} for x, y in zip(INPUTS, LABELS, strict=True)]
    settings = transformers.TrainingArguments(
        output_dir=context.directory, num_train_epochs=context.last_epoch, seed=context.seed % 2**32,
        eval_strategy="epoch", save_strategy="epoch", report_to=[], disable_tqdm=True,
        per_device_train_batch_size=16, learning_rate=0.01, use_cpu=context.device.type == "cpu",
    )  # fmt: skip
    trainer = transformers.Trainer(
        Model(), settings, train_dataset=data, eval_dataset=data, callbacks=[Reporting()]
    )
    trainer.train(resume_from_checkpoint=context.checkpoint and str(context.checkpoint))


# [end]


# [stable-baselines3]
def fit_policy(child, context):
    import gymnasium
    import stable_baselines3
    from stable_baselines3.common.evaluation import evaluate_policy

    class Features(stable_baselines3.common.torch_layers.BaseFeaturesExtractor):
        def __init__(self, space):
            super().__init__(space, 2)
            self.child = child

        def forward(self, observations):
            return self.child(observations)

    learner = stable_baselines3.PPO(
        "MlpPolicy", gymnasium.make("CartPole-v1"), n_steps=256, seed=context.seed % 2**31,
        policy_kwargs={"features_extractor_class": Features, "net_arch": []}, device=context.device,
    )  # fmt: skip
    if context.checkpoint:
        learner.set_parameters(str(context.checkpoint), device=context.device)
    for _ in context.epochs():
        learner.learn(256)
        learner.save(context.directory / "policy.zip")
        context.save(context.directory / "policy.zip")
        score, _ = evaluate_policy(learner, gymnasium.make("CartPole-v1"), n_eval_episodes=3)
        yield {"mean_return": score}


# [end]


LOOPS = {
    "lightning": (fit_lightning, "val_loss"),
    "transformers": (fit_transformers, "val_loss"),
    "stable_baselines3": (fit_policy, "mean_return"),
}


@pytest.fixture(params=LOOPS)
def loop(request):
    pytest.importorskip(request.param)
    return LOOPS[request.param]


@pytest.fixture
def spec(tmp_path):
    return TrialSpec(0, {"width": 8}, epochs=4, seed=3, checkpoint=str(tmp_path / "a.pt"))


def scores(events, metric):
    return [(event.epoch, pytest.approx(event.metrics[metric])) for event in events]


def test_a_trial_is_trained_killed_and_resumed(loop, spec, tmp_path):
    fit, metric = loop
    context = TrainingContext(build, Recipe(), LoopData(), "cpu", loop=Loop(fit))
    whole = list(train(context, replace(spec, checkpoint=str(tmp_path / "whole.pt"))))
    assert [report.epoch for report in whole] == [1, 2, 3, 4]
    assert len({report.metrics[metric] for report in whole}) > 1
    killed = list(islice(train(context, spec), 2))
    continued = list(train(context, spec))
    assert continued[:2] == killed
    assert [report.epoch for report in continued] == [1, 2, 3, 4]
    if metric == "val_loss":  # an environment does not save its state
        assert scores(killed, metric) == scores(whole[:2], metric)
        assert continued[-1].metrics[metric] == pytest.approx(whole[-1].metrics[metric], rel=0.2)
