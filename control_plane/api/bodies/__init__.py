"""What requests and answers look like, by noun. Requests are pydantic models, answers are frozen dataclasses."""
