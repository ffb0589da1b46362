"""A task whose networks are trained by the Trainer of Transformers."""

import torch
import transformers
from torch import nn

from raynas.data import LoopData
from raynas.tasks.digits import Digits


class TransformersDigits:
    objective = "val_loss"

    def load(self, source, seed):
        digits = Digits().load(source, seed)
        brief = {"input_shape": (64,), "outputs": 10}
        return LoopData(brief, content=[_rows(part) for part in (digits.train, digits.valid)])

    # --8<-- fit
    def fit(self, child, context):
        train, valid = context.data.content
        trainer = transformers.Trainer(
            Model(child),
            arguments(context),
            train_dataset=train,
            eval_dataset=valid,
            callbacks=[Reporting(context)],
        )
        trainer.train(resume_from_checkpoint=context.checkpoint and str(context.checkpoint))


class Model(nn.Module):
    def __init__(self, child):
        super().__init__()
        self.child = child

    def forward(self, inputs, labels):
        logits = self.child(inputs)
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


class Reporting(transformers.TrainerCallback):
    def __init__(self, context):
        self.context = context

    def on_save(self, args, state, control, **more):
        folder = self.context.directory / f"checkpoint-{state.global_step}"
        metrics = {"val_loss": state.log_history[-1]["eval_loss"]}
        control.should_training_stop |= not self.context.report(metrics, checkpoint=folder)


def arguments(context):
    return transformers.TrainingArguments(
        output_dir=context.directory,
        num_train_epochs=context.last_epoch,
        eval_strategy="epoch",
        save_strategy="epoch",
        per_device_train_batch_size=64,
        learning_rate=0.003,
        seed=context.seed % 2**32,
        use_cpu=context.device.type == "cpu",
        report_to=[],
        disable_tqdm=True,
    )


def _rows(part):
    pixels = torch.from_numpy(part.inputs).float().flatten(1) / 16
    labels = torch.from_numpy(part.targets)
    return [{"inputs": x, "labels": y} for x, y in zip(pixels, labels, strict=True)]
