"""The command line, one file per verb; the only place where live parts are wired together."""
