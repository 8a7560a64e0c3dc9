"""An import contract for a house that is still being built."""

from grimp import ImportGraph
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.domain.contract import ContractCheck
from importlinter.domain.imports import ModuleExpression


class RoomsForbidden(ForbiddenContract):
    """Like `forbidden`, at any depth, but a room of ours that is not built yet is passed over instead of refused.

    A misspelt room would be passed over as well; tests/unit/test_repository.py compares every name with the layers.
    """

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Check the rooms that there are."""
        rooms = {
            field: {module for module in _expressions(getattr(self, field)) if _is_there(graph, module)}
            for field in ("source_modules", "forbidden_modules")
        }
        vars(self).update(rooms)
        return super().check(graph, verbose)


def _expressions(field: object) -> set[ModuleExpression]:
    if not isinstance(field, set):
        msg = f"expected a set of modules in the contract, found {field!r}"
        raise TypeError(msg)
    return field


def _is_there(graph: ImportGraph, module: ModuleExpression) -> bool:
    name = str(module)
    return name in graph.modules or not name.startswith("lockgate.")
