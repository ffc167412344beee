"""`python -m hearthway`."""

from hearthway.cli.main import main

if __name__ == "__main__":
    main()
