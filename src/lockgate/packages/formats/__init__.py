"""How models are stored, a file for each library. What would run code on loading its data has no place here."""
