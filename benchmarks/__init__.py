"""Speed and memory, as ratios of interleaved runs: `make bench` writes the tables of docs/benchmarks.md."""
