"""A TCP relay that holds every byte back: what a far-away host feels like, without a kernel module.

Usage: delay.py MILLISECONDS LISTEN-PORT:HOST:PORT ...     half of the round trip's delay in each direction, and one whole before connecting
"""

import asyncio
import sys


async def pump(reader, writer, delay):
    queue = asyncio.Queue()
    loop = asyncio.get_running_loop()

    async def send():
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not data:
                writer.close()
                return
            writer.write(data)
            await writer.drain()

    sender = asyncio.create_task(send())
    try:
        while data := await reader.read(65536):
            queue.put_nowait((loop.time() + delay, data))
    except ConnectionError:
        pass
    queue.put_nowait((loop.time() + delay, b""))
    try:
        await sender
    except ConnectionError:
        pass


async def main(milliseconds, routes):
    delay = milliseconds / 2000

    def relay(host, port):
        async def accept(reader, writer):
            await asyncio.sleep(2 * delay)
            there = await asyncio.open_connection(host, port)
            await asyncio.gather(pump(reader, there[1], delay), pump(there[0], writer, delay))

        return accept

    servers = []
    for route in routes:
        listen, host, port = route.split(":")
        servers.append(await asyncio.start_server(relay(host, int(port)), "127.0.0.1", int(listen)))
    print("ready", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


asyncio.run(main(float(sys.argv[1]), sys.argv[2:]))
