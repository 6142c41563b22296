"""Measurements that are no tests: speed, tracking, identity, widgets, size, scaling, and a score on labelled clips."""
