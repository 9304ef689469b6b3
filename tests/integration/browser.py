"""A headless Chromium, driven over WebDriver (https://www.w3.org/TR/webdriver2/) with the standard library.

SPDX-License-Identifier: MIT
"""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from servers import free_port, listening, wait_until


def installed():
    return shutil.which("chromedriver") and shutil.which("chromium")


class Browser:
    def __init__(self, folder):
        """`folder` takes its profile and log, and is removed by whoever made it."""
        os.makedirs(folder, exist_ok=True)
        # Sockets of Chromium stand below TMPDIR, and the path of a socket has at most 107 bytes.
        self.short = tempfile.mkdtemp(prefix="mqtt2pg-", dir="/tmp")
        self.port, self.session = free_port(), None
        environment = {**os.environ, "HOME": folder, "TMPDIR": self.short}
        with open(os.path.join(folder, "chromedriver.log"), "ab") as log:
            self.driver = subprocess.Popen(["chromedriver", f"--port={self.port}"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        try:
            wait_until(lambda: listening(self.port), 15, "chromedriver does not listen")
            self.session = self.begin(folder)
        except BaseException:
            self.stop()
            raise

    def begin(self, folder):
        # Chromium does without its sandbox as root and in containers; it sees pages of ours only.
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
                     "--disable-component-update", "--no-first-run", f"--user-data-dir={folder}/profile", "about:blank"]
        options = {"args": arguments, "perfLoggingPrefs": {"enableNetwork": True}}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        return self.ask("POST", "", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]

    def ask(self, method, path, content=None):
        url = f"http://127.0.0.1:{self.port}/session" + (f"/{self.session}" if self.session else "") + path
        body = json.dumps(content or {}).encode() if method == "POST" else None
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"the browser: {json.load(error)['value']['message'].splitlines()[0]}") from None

    def open(self, url):
        self.ask("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """What the JavaScript returns."""
        return self.ask("POST", "/execute/sync", {"script": script, "args": arguments})

    def text(self, selector):
        """What a person reads there; None when it is not there or hidden."""
        return self.run("const e = document.querySelector(arguments[0]); return e && e.offsetParent !== null ? e.innerText : null", selector)

    def press(self, keys):
        """Key after key, to what has the focus: names as in JavaScript's event.key."""
        codes = {"Tab": "\ue004", "Enter": "\ue007", "ArrowLeft": "\ue012", "ArrowRight": "\ue014", "Escape": "\ue00c"}
        actions = [{"type": kind, "value": codes[key]} for key in keys for kind in ("keyDown", "keyUp")]
        self.ask("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def command(self, name, **parameters):
        """One of the Chrome DevTools Protocol."""
        return self.ask("POST", "/goog/cdp/execute", {"cmd": name, "params": parameters})

    def screen(self, width, height):
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500)

    def dark(self, yes):
        self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if yes else "light"}])

    def console(self):
        """What stood in the console since the last call: (level, message). Chromium's own start page writes there, too."""
        return [(entry["level"], entry["message"]) for entry in self.ask("POST", "/se/log", {"type": "browser"})
                if not entry["message"].startswith("chrome://")]

    def requests(self):
        """The URLs that were asked for since the last call."""
        entries = [json.loads(entry["message"])["message"] for entry in self.ask("POST", "/se/log", {"type": "performance"})]
        return [entry["params"]["request"]["url"] for entry in entries if entry["method"] == "Network.requestWillBeSent"]

    def picture(self, path):
        """All of the page, as PNG."""
        height = self.run("return document.documentElement.scrollHeight")
        width = self.run("return window.innerWidth")
        self.screen(width, height)
        time.sleep(0.3)  # it draws itself again
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.ask("GET", "/screenshot")))

    def stop(self):
        try:
            if self.session:
                self.ask("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait(10)
            shutil.rmtree(self.short, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit("a module of tests/integration/run.py")
