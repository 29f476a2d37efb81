"""Side-by-side timings: ``python -m benchmarks``. Never a test: these machines are shared and noisy."""
