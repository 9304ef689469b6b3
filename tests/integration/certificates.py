"""Certificates made on the spot with the openssl program: a CA of the test's own and what it signs.

SPDX-License-Identifier: MIT
"""

import os
import subprocess


def openssl(*arguments, folder=None):
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]}: {done.stderr.decode(errors='replace')}")


class Authority:
    """A CA in a folder: `file` is its certificate."""

    def __init__(self, folder, name="test CA"):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o755)
        self.file = os.path.join(folder, "ca.pem")
        self.key = os.path.join(folder, "ca.key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", self.key,
                "-out", self.file, "-subj", f"/CN={name}", "-days", "2")

    def issue(self, name, names="DNS:localhost,IP:127.0.0.1", days=2, common="localhost", password=None):
        """(certificate, key) for these names; days = -1 has expired. The key is for whoever runs the tests alone."""
        base = os.path.join(self.folder, name)
        secret = ["-passout", "pass:" + password] if password else ["-nodes"]
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", *secret, "-keyout", base + ".key",
                "-out", base + ".csr", "-subj", f"/CN={common}")
        with open(base + ".ext", "w") as file:
            file.write(f"subjectAltName={names}\n")
        openssl("x509", "-req", "-in", base + ".csr", "-CA", self.file, "-CAkey", self.key, "-CAcreateserial", "-days", str(days),
                "-extfile", base + ".ext", "-out", base + ".pem")
        os.chmod(base + ".key", 0o600)
        return base + ".pem", base + ".key"

    def serve(self, name, **options):
        """The same for a server that runs as somebody else: everybody may read the key."""
        certificate, key = self.issue(name, **options)
        os.chmod(key, 0o644)
        return certificate, key


if __name__ == "__main__":
    raise SystemExit("a module of tests/integration/run.py")
