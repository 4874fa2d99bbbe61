"""Where the key-encryption key is: in the settings, or with somebody who never hands it out."""
