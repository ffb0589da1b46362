"""Probes: they measure the latency, and the energy, of a network on a device.

A probe measures one network at a time, on a device that nothing else uses. A measurement is the
median of several readings; if they spread by more than half of it, it fails with its reason, and
there is no number.
"""

from raynas.costs.probe.names import METRICS
from raynas.costs.probe.probes import Probe, check_name, make

__all__ = ["METRICS", "Probe", "check_name", "make"]
