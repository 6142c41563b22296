"""The fuzzer itself needs atheris and is no test."""

collect_ignore = ["fuzz_readers.py"]
