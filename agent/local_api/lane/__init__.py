"""The fast lane: hot requests are answered on the connection itself; whatever else comes is handed to aiohttp."""
