"""`python -m pipelines`: the same as `coexposure`."""

from pipelines.cli import main

if __name__ == "__main__":
    main()
