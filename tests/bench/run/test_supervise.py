"""What a worker says reaches the harness, whenever it ends."""

import json
import os

from bench.run.plan import Limits
from bench.run.supervise import _events


class Hurried:
    """A process that speaks and ends between two looks at it, leaving its pipe open to a child of its own."""

    pid = 0

    def __init__(self, write: int) -> None:
        self.write = write
        self.code: int | None = None

    def poll(self) -> int | None:
        if self.code is None:
            os.write(self.write, json.dumps({"event": "measured", "values": {}}).encode() + b"\n")
            self.code = 0
        return self.code


def test_the_last_words_of_a_worker_are_read_after_its_end() -> None:
    read, write = os.pipe()
    events = list(_events(read, Hurried(write), "train", Limits()))  # type: ignore[arg-type]
    assert [event["event"] for event in events] == ["measured"]
    os.close(read)
    os.close(write)
