"""`python -m exphub_magics` is `exphub`."""

from exphub_magics.cli import main

main()
