"""amqtt for test/interop: one user who may do everything but publish to the topics that are named, everything in memory.

Usage: broker.py PORT USER PASSWORD [FORBIDDEN_TOPIC ...]. Ends in order at SIGTERM.
"""

import asyncio
import signal
import sys

from amqtt.broker import Broker
from amqtt.contexts import Action
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin

PORT, USER, PASSWORD, *FORBIDDEN = sys.argv[1:]


class Users(BaseAuthPlugin):
    async def authenticate(self, *, session):
        return session.username == USER and session.password == PASSWORD


class Rights(BaseTopicPlugin):
    async def topic_filtering(self, *, session=None, topic=None, action=None):
        return action != Action.PUBLISH or topic not in FORBIDDEN


async def main():
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{PORT}"}},
            "plugins": {"__main__.Users": {}, "__main__.Rights": {}},
        }
    )
    await broker.start()
    print("ready", flush=True)
    await end.wait()
    await broker.shutdown()


asyncio.run(main())
