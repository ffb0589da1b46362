"""Steps that are recorded as CUDA graphs and replayed."""

from raynas.training.recording.recorded import Recorded, Recorder, not_recorded, recorder_for

__all__ = ["Recorded", "Recorder", "not_recorded", "recorder_for"]
