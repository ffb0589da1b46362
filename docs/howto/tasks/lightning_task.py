"""A task whose networks are trained by Lightning."""

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from raynas.data import LoopData
from raynas.tasks.digits import Digits


class LightningDigits:
    objective = "val_loss"

    def load(self, source, seed):
        digits = Digits().load(source, seed)
        brief = {"input_shape": (64,), "outputs": 10}
        return LoopData(brief, content=[_tensors(part) for part in (digits.train, digits.valid)])

    # --8<-- fit
    def fit(self, child, context):
        class Module(lightning.LightningModule):
            def __init__(self):
                super().__init__()
                self.child = child

            def training_step(self, batch, _):
                return nn.functional.cross_entropy(child(batch[0]), batch[1])

            def validation_step(self, batch, _):
                self.log("val_loss", nn.functional.cross_entropy(child(batch[0]), batch[1]))

            def configure_optimizers(self):
                return torch.optim.Adam(child.parameters(), lr=0.003)

        report = Reporting(context)
        trainer = lightning.Trainer(
            max_epochs=context.last_epoch, callbacks=[report], **settings(context)
        )
        train, valid = (DataLoader(part, 64) for part in context.data.content)
        trainer.fit(Module(), train, valid, ckpt_path=context.checkpoint)


class Reporting(lightning.Callback):
    def __init__(self, context):
        self.context = context

    def on_train_epoch_end(self, trainer, module):
        file = self.context.directory / "last.ckpt"
        trainer.save_checkpoint(file)
        metrics = {"val_loss": trainer.callback_metrics["val_loss"]}
        trainer.should_stop |= not self.context.report(metrics, checkpoint=file)


def settings(context):
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    own = {"enable_checkpointing": False, "default_root_dir": context.directory}
    return {"accelerator": context.device.type, **quiet, **own}


def _tensors(part):
    pixels = torch.from_numpy(part.inputs).float().flatten(1) / 16
    return TensorDataset(pixels, torch.from_numpy(part.targets))
