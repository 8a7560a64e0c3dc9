"""The command line: parses and renders; makes no decision. A client of the API."""
