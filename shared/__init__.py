"""What both programs agree on. It imports neither of them."""
