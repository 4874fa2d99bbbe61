"""What stops the rendering of a file: nothing of its set is published then."""


class UnrenderableError(Exception):
    """The configs cannot be said in this format, or not by this template; the text names keys, never values.

    `file` is the path of the file as its set names it, empty where the error is not of one file; `template` says whether
    the template is what is wrong.
    """

    def __init__(self, why: str, *, file: str = "", template: bool = False) -> None:
        super().__init__(f"{file}: {why}" if file else why)
        self.why, self.file, self.template = why, file, template

    def of(self, file: str) -> "UnrenderableError":
        """The same, said of a file."""
        return UnrenderableError(self.why, file=file, template=self.template)
