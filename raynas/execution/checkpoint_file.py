"""Write and read a checkpoint.

In a folder it is in its place when ``save`` returns. To an object store it travels while the next
epoch is trained; ``settle`` waits for it.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from raynas.errors import StorageError
from raynas.storage import Location, Store, located, store_of

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class CheckpointFile:
    """The checkpoint of a trial, in the store of its run.

    Attributes:
        store: The folder of the checkpoints.
        name: Its name in it.
    """

    store: Store
    name: str

    @classmethod
    def at(cls, where: str) -> CheckpointFile:
        """Return the checkpoint at a path or an address."""
        place: Location = located(where)
        store = store_of(place.parent)
        store.trust()  # the driver has reached it
        return cls(store, place.name)

    def save(self, state: Mapping[str, Any]) -> None:
        """Write a checkpoint; a process that is killed meanwhile leaves the previous one.

        Raises:
            StorageError: It, or the one before, cannot be written.
        """
        import torch  # noqa: PLC0415 - only workers load torch

        self.store.send(self.name, lambda file: torch.save(state, file))

    def settle(self) -> None:
        """Wait until the checkpoint is in its place.

        Raises:
            StorageError: It cannot be written.
        """
        self.store.settle()

    def read(self, device: torch.device) -> tuple[Mapping[str, Any], str]:
        """Return its contents; if there are none, why, as half a sentence.

        Raises:
            StorageError: The store does not answer.
        """
        import torch  # noqa: PLC0415 - only workers load torch

        where = f"{self.store.location}/{self.name}"
        try:
            with self.store.open(self.name) as file:
                saved: Mapping[str, Any] = torch.load(file, map_location=device, weights_only=True)
            saved["training"]  # each kind of checkpoint has it
        except FileNotFoundError:
            return {}, (
                f"its checkpoint {where} is not there on {platform.node()}: the folder of a run "
                "must be on a file system that all machines share, or in an object store"
            )
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001 - torch does not document what it raises
            reason = (str(error) or type(error).__name__).splitlines()[0]
            return {}, f"its checkpoint {where} cannot be read: {reason}"
        return saved, ""
