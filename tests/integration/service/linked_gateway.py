"""A gateway with a linked camera, as a process that can be killed: `python -m … FOLDER BROKER-URL`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from gateway.ingest.linked import Links, MqttLink
from gateway.service import Service
from gateway.settings import Settings

CAMERA = MqttLink("zhenshi", "sn-1", "yard", "gate-1", {"direction": "in"})


async def main(folder: Path, broker: str) -> None:
    settings = Settings(database=f"sqlite:///{folder / 'patrol.sqlite'}", broker=broker, data=folder)
    async with Service(settings, Links(mqtt=(CAMERA,))) as service:
        if service.client is not None:
            await service.client.wait_connected()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await service.running


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
