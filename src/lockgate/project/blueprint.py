"""The compiled project: plain data with a digest."""

from lockgate.kernel.canonical import Record
from lockgate.records.check import Rule
from lockgate.records.features import FeatureNote, FeatureSet, OutcomeSpec, RequestSpec
from lockgate.records.source import SourceSpec
from lockgate.records.training import ModelSpec
from lockgate.records.verdict import GateSpec

__all__ = ["Blueprint"]


class Blueprint(Record, tag="blueprint/1", frozen=True, kw_only=True):
    """All that a project file says. The same file gives the same digest; where things stand in it is not part of it."""

    # The project's name, and its endpoint's.
    name: str
    # Who answers for it.
    owner: str
    # The zone of its days and of times in features.
    timezone: str
    # Its sources, in order.
    sources: tuple[SourceSpec, ...]
    # Its rules, those that its declarations imply first.
    rules: tuple[Rule, ...]
    # What it is asked.
    request: RequestSpec
    # From request to matrix; types of looked-up columns are not known yet.
    features: FeatureSet
    # What people are told of each feature, in the same order; it decides no value.
    feature_notes: tuple[FeatureNote, ...] = ()
    # What it foresees.
    outcome: OutcomeSpec
    # How it learns.
    model: ModelSpec
    # What must hold before a release.
    gates: tuple[GateSpec, ...]

    def source(self, name: str) -> SourceSpec:
        """Give a source by name; a KeyError otherwise."""
        for source in self.sources:
            if source.name == name:
                return source
        raise KeyError(name)
