"""Model cards: what is recorded about a package, as Markdown, as a page, as a bill of materials."""
