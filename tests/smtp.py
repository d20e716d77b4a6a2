"""A real SMTP server on loopback that does what a test scripts, and keeps what it takes."""

import email
import email.policy
import socketserver
import threading
from email.message import EmailMessage


class Server:
    """Takes mail on a port of its own. `answers` replaces the reply to a command, by its verb."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.answers: dict[str, str] = {}
        # True: the connection ends right after a mail was taken, before that is said.
        self.dies_after_data = False
        outer = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                outer._serve(self)

        class Threads(socketserver.ThreadingTCPServer):
            daemon_threads, allow_reuse_address = True, True

        self._tcp = Threads(("127.0.0.1", 0), Session)
        self.port = self._tcp.server_address[1]
        self._thread = threading.Thread(target=self._tcp.serve_forever, args=(0.02,))
        self._thread.start()

    def stop(self) -> None:
        self._tcp.shutdown()
        self._thread.join()
        self._tcp.server_close()

    def _serve(self, session: socketserver.StreamRequestHandler) -> None:
        def say(text: str) -> None:
            session.wfile.write(f"{text}\r\n".encode())

        say("220 mail.test")
        while line := session.rfile.readline():
            verb = line.split(b":")[0].split()[0].decode().upper()
            if verb in self.answers:
                say(self.answers[verb])
            elif verb == "DATA":
                say("354 go on")
                self._take(session)
                if self.dies_after_data:
                    return
                say("250 taken")
            elif verb == "QUIT":
                say("221 bye")
                return
            else:
                if verb == "RCPT":
                    self.recipients.append(line.decode().split("<")[1].split(">")[0])
                say("250 ok")

    def _take(self, session: socketserver.StreamRequestHandler) -> None:
        lines = []
        while (line := session.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        raw = b"".join(lines)
        self.mails.append(email.message_from_bytes(raw, policy=email.policy.default))
