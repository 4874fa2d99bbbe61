"""What crosses a process boundary, versioned: messages, snapshot documents, reports, problems, names on the broker."""
