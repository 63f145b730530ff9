"""The test kit: conformance suites, a disk that fails on demand, checkers. Only tests import it; users may, too."""
