"""To the application through files: the snapshot as json, yaml or dotenv, replaced whole, written only if changed."""
