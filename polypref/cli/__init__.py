"""The command line: one module per group of commands. Heavy imports stay inside the commands, so `--help` is quick."""
