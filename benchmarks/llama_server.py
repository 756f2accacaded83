"""A llama-server in a process of its own, for `against_server.py`: out of the package xllamacpp.

    python benchmarks/llama_server.py MODEL_FILE --threads 2 --slots 8 --context 12288

Prints its address on loopback as the first line of stdout, and serves until stdin ends or an hour is over.
All that is not named here is as the server has it by default.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys

import xllamacpp

SECONDS = 3_600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--context", type=int, required=True, help="tokens of all slots together")
    chosen = parser.parse_args()
    signal.alarm(SECONDS)  # the default action ends the process
    params = xllamacpp.CommonParams()
    params.model.path = chosen.model
    params.n_ctx, params.n_parallel = chosen.context, chosen.slots
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = chosen.threads
    params.port = 0
    server = xllamacpp.Server(params)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)  # its threads are of no more use, and nothing is to be saved


if __name__ == "__main__":
    main()
