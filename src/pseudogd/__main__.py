"""``python -m pseudogd``."""

from pseudogd.cli import main

if __name__ == "__main__":
    main()
