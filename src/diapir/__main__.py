"""`python -m diapir`, the same as `diapir`."""

from diapir.cli import main

if __name__ == "__main__":
    main()
