"""The evaluation context of a request: checked and bounded, whatever attributes an application has."""

from typing import Annotated, TypeAlias

from pydantic import ConfigDict, Field, model_validator

from control_plane.api.bodies.fields import Body
from shared.domain.context import EvaluationContext

MAX_TEXT = 1_024
MAX_GROUPS = 100
MAX_ATTRIBUTES = 100
MAX_ELEMENTS = 100
MAX_NAME = 255

_Text = Annotated[str, Field(max_length=MAX_TEXT)]
_Number = Annotated[float, Field(allow_inf_nan=False)]
_Scalar: TypeAlias = _Text | bool | int | _Number | None
_List = Annotated[list[_Scalar], Field(max_length=MAX_ELEMENTS)]


class Context(Body):
    """Who asks. Any further member is an attribute: a text, a number, true, false, null, or a list of these."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={"examples": [{"targetingKey": "user-17", "groups": ["beta"], "country": "SE"}]},
    )
    __pydantic_extra__: dict[str, _Scalar | _List] = Field(init=False)

    targetingKey: _Text | None = None  # noqa: N815 - OpenFeature's spelling
    """The one whose experience should stay the same, such as a user's id."""
    groups: Annotated[list[_Text], Field(max_length=MAX_GROUPS)] = Field(default_factory=list)
    """The groups that it belongs to."""

    @model_validator(mode="after")
    def _is_bounded(self) -> "Context":
        names = self.__pydantic_extra__
        if len(names) > MAX_ATTRIBUTES or any(not 0 < len(each) <= MAX_NAME for each in names):
            msg = f"a context has at most {MAX_ATTRIBUTES} attributes, with names of 1 to {MAX_NAME} characters"
            raise ValueError(msg)
        return self

    @property
    def value(self) -> EvaluationContext:
        """The context as rules see it."""
        return EvaluationContext(self.targetingKey, tuple(self.groups), dict(self.__pydantic_extra__))
