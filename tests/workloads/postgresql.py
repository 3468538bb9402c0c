"""PostgreSQL from Debian, on loopback."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from parts import need_program
from workloads.scripts import free_port


@contextmanager
def postgresql(user: str, *, password: str | None = None, certificate: Path | None = None) -> Generator[int]:
    """The port of a server, while it runs.

    Arguments:
        user: its superuser.
        password: that of the user; without one, everybody is let in.
        certificate: a PEM file with a certificate and its key, by which it speaks TLS.
    """
    # PostgreSQL does not run as root, and Debian keeps its programs out of the path.
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *map(str, versions)])
    initdb, postgres = (need_program(program, "postgresql") for program in ("initdb", "postgres"))
    owner = "postgres" if os.geteuid() == 0 else None
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        options = [f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"]
        create = [initdb, "--pgdata", f"{folder}/data", "--username", user, "--no-sync"]
        create += ["--auth", "scram-sha-256", "--pwfile", f"{folder}/password"] if password else ["--auth", "trust"]
        files = {"password": (password or "").encode()}
        if certificate:
            files["tls"] = certificate.read_bytes()
            options += ["ssl=on", f"ssl_cert_file={folder}/tls", f"ssl_key_file={folder}/tls"]
        for name, content in files.items():
            path = Path(folder, name)
            path.touch(mode=0o600)
            path.write_bytes(content)
        if owner:
            for path in (Path(folder), *Path(folder).iterdir()):
                shutil.chown(path, owner)
        subprocess.run(create, user=owner, cwd="/", check=True, capture_output=True)
        serve = [postgres, "-D", f"{folder}/data", *(word for option in options for word in ("-c", option))]
        with subprocess.Popen(serve, user=owner, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as running:
            assert running.stdout
            while b"ready to accept connections" not in running.stdout.readline():
                assert running.poll() is None
            yield port
            # Without waiting for clients to leave.
            running.send_signal(signal.SIGINT)
