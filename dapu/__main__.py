"""`python -m dapu`."""

from dapu.cli import main

if __name__ == "__main__":
    main()
