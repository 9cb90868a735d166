import asyncio
import os
import signal

from gatepost.app.supervisor import Supervisor
from gatepost.config import Settings


def test_a_role_that_hangs_is_killed_and_started_again(tmp_path):
    async def scenario():
        settings = Settings(data_dir=tmp_path / "d", port=0, private_port=0, aws_port=0, durability="process")
        supervisor = Supervisor(settings, hung_after_s=5.0)
        await supervisor.start()
        try:
            role = supervisor._roles["services"]
            hung = role.process.pid
            os.kill(hung, signal.SIGSTOP)
            async with asyncio.timeout(40):
                while role.process.pid == hung or role.ended.is_set():
                    await asyncio.sleep(0.05)
            return role.restarts
        finally:
            await supervisor.stop()

    assert asyncio.run(scenario()) == 1
