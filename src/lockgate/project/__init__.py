"""From a user's file to a blueprint: loaded once, compiled to plain data, every mistake reported together."""
