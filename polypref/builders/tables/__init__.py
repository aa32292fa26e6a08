"""Users' tables: one reader, one writer, imports, and the commands filter, translate and complete."""
