"""Where rules can be declared: sources, and the stages after them."""

from lockgate.declare.mistakes import StandIn, declaration, note, where
from lockgate.declare.rules import RulesFile, RuleWanted

__all__ = ["Expecting"]


class Expecting:
    """Rows that rules can be declared about."""

    def __init__(self) -> None:
        """Start without any."""
        self.rules: list[RuleWanted | RulesFile] = []

    @declaration
    def expect(self, *rules: RuleWanted | RulesFile, quarantine: bool = False) -> None:
        """Declare rules that the rows must hold to; a rule that does not hold, or did not run, stops the line.

        Args:
            rules: such as `lockgate.unique("flight_id")`, or `lockgate.rules_from("checks/weather.toml")`.
            quarantine: whether rows of a source that break one of these are split off: kept and counted, but never
                learnt from. The thresholds still decide.
        """
        for rule in rules:
            if isinstance(rule, RuleWanted):
                rule.quarantine = quarantine
            if isinstance(rule, RuleWanted | RulesFile):
                self.rules.append(rule)
            elif not isinstance(rule, StandIn):
                note(where(), expected="rules, such as lockgate.unique('column')", found=repr(rule)[:80])
