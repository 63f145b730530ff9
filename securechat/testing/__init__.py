"""The test kit: conformance suites, a disk that fails on demand, and checkers. No product code imports it."""
