"""The local API of AWS AppConfig Agent, for applications that were written against it and stay as they are."""
