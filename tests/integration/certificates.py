"""Certificates made on the spot with the openssl program: a CA of the test's own and what it signs.

SPDX-License-Identifier: MIT
"""

import os
import subprocess


# What `openssl ca` wants to know; unlike `openssl x509`, it signs certificates whose time is over.
CA_CONFIG = """[ca]
default_ca = it
[it]
database = index
rand_serial = yes
unique_subject = no
new_certs_dir = .
default_md = sha256
policy = any
email_in_dn = no
[any]
commonName = supplied
"""


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
        for file, text in (("ca.cnf", CA_CONFIG), ("index", "")):
            with open(os.path.join(folder, file), "w") as out:
                out.write(text)
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", self.key,
                "-out", self.file, "-subj", f"/CN={name}", "-days", "2")

    def issue(self, name, names="DNS:localhost,IP:127.0.0.1", expired=False, common="localhost", password=None):
        """(certificate, key) for these names, for two days. The key is for whoever runs the tests alone."""
        base = os.path.join(self.folder, name)
        secret = ["-passout", "pass:" + password] if password else ["-nodes"]
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", *secret, "-keyout", base + ".key",
                "-out", base + ".csr", "-subj", f"/CN={common}")
        with open(base + ".ext", "w") as file:
            file.write(f"subjectAltName={names}\n")
        times = ["-startdate", "20200101000000Z", "-enddate", "20200102000000Z"] if expired else ["-days", "2"]
        openssl("ca", "-batch", "-notext", "-config", "ca.cnf", "-in", base + ".csr", "-cert", self.file, "-keyfile", self.key,
                *times, "-extfile", base + ".ext", "-out", base + ".pem", folder=self.folder)
        os.chmod(base + ".key", 0o600)
        return base + ".pem", base + ".key"

    def serve(self, name, **options):
        """The same for a server that runs as somebody else: everybody may read the key."""
        certificate, key = self.issue(name, **options)
        os.chmod(key, 0o644)
        return certificate, key


if __name__ == "__main__":
    raise SystemExit("a module of tests/integration/run.py")
