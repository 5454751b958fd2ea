"""`python -m mlreg` is the command line."""

from mlreg.cli.main import main

if __name__ == "__main__":
    main()
