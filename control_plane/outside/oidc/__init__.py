"""The company's identity provider, over OpenID Connect."""
