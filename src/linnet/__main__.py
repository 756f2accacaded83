"""`python -m linnet` is the command `linnet`."""

from linnet.interfaces.cli.main import main

if __name__ == "__main__":
    main()
