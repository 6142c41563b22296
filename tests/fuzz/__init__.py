"""Coverage-guided fuzzing of the readers; see `tests.fuzz.fuzz_readers`."""
