"""Trains from the settings named on the command line, on one thread; to be killed in the middle."""

from __future__ import annotations

import sys

from surveyor.finetune.sft.config import load_config
from surveyor.finetune.sft.run import train

if __name__ == "__main__":
    print(train(load_config(sys.argv[1])).folder)
