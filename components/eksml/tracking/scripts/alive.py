"""Whether a server lives: it answers, and its secrets are still those that it has read.

After a rotation they are not, so the container is started anew, and reads the new ones.
"""

import os
import sys
from urllib.request import urlopen

from mounted import secrets_are_remembered

if not secrets_are_remembered():
    sys.exit("the secrets have changed since the server started")
with urlopen(f"http://127.0.0.1:{os.environ['PORT']}/health", timeout=8):
    pass
