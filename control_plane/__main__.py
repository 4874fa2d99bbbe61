"""`python -m control_plane` is `trimtab`."""

from control_plane.cli.main import main

main()
