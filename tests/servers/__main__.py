"""`python -m tests.servers ROOT`: the steward of one test session."""

import sys

from tests.servers.steward import main

main(sys.argv[1])
