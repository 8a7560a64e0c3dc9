"""Texts of others, made fit for a terminal."""

__all__ = ["printable"]


def printable(text: str) -> str:
    """Give a text without what a terminal would act on; others may have written it."""
    return "".join(one if one.isprintable() or one in "\n\t" else "?" for one in text)
