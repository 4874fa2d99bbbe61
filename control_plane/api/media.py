"""The media types that the API speaks."""

JSON = "application/json"
YAML = "application/yaml"
