"""The fields of a request."""

from typing import Any, Literal

import msgspec

from lockgate.declare.mistakes import declaration

__all__ = ["Category", "FieldOptions", "FieldsWanted", "field", "fields"]


class Category(str):
    """Text from a vocabulary: the values that the training rows had."""

    __slots__ = ()


class FieldOptions(msgspec.Struct, frozen=True):
    """What `field` was given."""

    between: tuple[float, float] | None
    unseen: str


class FieldsWanted(msgspec.Struct, frozen=True):
    """Request fields that the model is to see as they are."""

    names: tuple[str, ...]


@declaration
def field(*, between: tuple[float, float] | None = None, unseen: Literal["refuse", "other"] = "other") -> Any:  # noqa: ANN401 - stands where a value of the field's own type would
    """Say more of a request field than its type.

    Args:
        between: the least and the greatest number allowed, both included.
        unseen: what becomes of a category that the training rows did not have: `refuse` the request, or let the model
            see it as a missing value and count it (`other`).
    """
    return FieldOptions(between, unseen)


@declaration
def fields(*names: str) -> FieldsWanted:
    """Let the model see request fields as they are; for the `features` of a model."""
    return FieldsWanted(names)
