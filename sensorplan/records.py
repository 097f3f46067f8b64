"""What every record of a result is built on."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """What a result says, or a part of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def to_json(self) -> bytes:
        """The file of a record: UTF-8, two spaces of indent."""
        return f"{self.model_dump_json(indent=2)}\n".encode()
