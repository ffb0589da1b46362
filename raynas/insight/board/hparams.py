"""The contents of TensorBoard's HParams tab: its columns, and one row for each trial."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.struct_pb2 import Value as Cell
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata
from tensorboard.plugins.hparams.plugin_data_pb2 import (
    HParamsPluginData,
    SessionEndInfo,
    SessionStartInfo,
)

from raynas.insight.board.summaries import plain
from raynas.space import Choice, Decision, Domain, Value
from raynas.trial import Failed, Outcome, Started


def columns(decisions: Mapping[str, Decision], tags: Iterable[str]) -> Any:
    """Return the summary that defines the columns: all decisions, then the tags of metrics."""
    experiment = api_pb2.Experiment(
        hparam_infos=[_column(decision) for decision in decisions.values()],
        metric_infos=[
            api_pb2.MetricInfo(
                name=api_pb2.MetricName(tag=plain(tag)),
                display_name=plain(tag.rpartition("/")[2]),
            )
            for tag in tags
        ],
    )
    return _summary(metadata.EXPERIMENT_TAG, experiment=experiment)


def row(decisions: Mapping[str, Decision], name: str, started: Started) -> Any:
    """Return the summary that begins a trial's row: the values of its active decisions."""
    cells = {
        plain(path): _cell(decisions[path].domain, value)
        for path, value in started.architecture.items()
    }
    start = SessionStartInfo(hparams=cells, group_name=name, start_time_secs=started.at)
    return _summary(metadata.SESSION_START_INFO_TAG, session_start_info=start)


def row_end(outcome: Outcome) -> Any:
    """Return the summary that ends a trial's row: its status and its end time."""
    failed = isinstance(outcome, Failed)
    status = api_pb2.STATUS_FAILURE if failed else api_pb2.STATUS_SUCCESS
    end = SessionEndInfo(status=status, end_time_secs=outcome.at)
    return _summary(metadata.SESSION_END_INFO_TAG, session_end_info=end)


def _summary(tag: str, **content: Any) -> Any:
    described = metadata.create_summary_metadata(HParamsPluginData(**content))
    return Summary(value=[Summary.Value(tag=tag, metadata=described, tensor=metadata.NULL_TENSOR)])


def _column(decision: Decision) -> Any:
    domain = decision.domain
    column = api_pb2.HParamInfo(
        # ``differs``: the tab shows decisions with several values first.
        name=plain(decision.path),
        differs=domain.count > 1,
        type=_type(domain),
    )
    if isinstance(domain, Choice):
        column.domain_discrete.values.extend(_cell(domain, option) for option in domain.options)
    else:
        column.domain_interval.min_value = domain.low
        column.domain_interval.max_value = domain.high
    return column


def _type(domain: Domain) -> Any:
    if not isinstance(domain, Choice):
        return api_pb2.DATA_TYPE_FLOAT64
    kinds = {type(option) for option in domain.options}
    if kinds == {bool}:
        return api_pb2.DATA_TYPE_BOOL
    return api_pb2.DATA_TYPE_FLOAT64 if kinds <= {int, float} else api_pb2.DATA_TYPE_STRING


def _cell(domain: Domain, value: Value) -> Any:
    kind = _type(domain)
    if kind == api_pb2.DATA_TYPE_BOOL:
        return Cell(bool_value=value)
    if kind == api_pb2.DATA_TYPE_FLOAT64:
        return Cell(number_value=value)
    return Cell(string_value=plain(str(value)))
