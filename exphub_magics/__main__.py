"""`python -m exphub_magics` is `exphub`."""

from exphub_magics.terminal import main

main()
