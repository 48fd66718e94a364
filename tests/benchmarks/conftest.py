"""Benchmarks are run by `make bench`; pytest finds nothing to collect in them."""

collect_ignore_glob = ["*.py"]
