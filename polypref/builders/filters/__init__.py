"""Why a row is rejected: one small function a reason, each in the file of its kind; `judge.py` asks them in order."""
