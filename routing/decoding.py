"""Bodies that a vendor compressed although it was asked not to: undone in small steps (pure)."""

import zlib

STEP_BYTES = 256 << 10
GZIP_BITS, ZLIB_BITS, RAW_BITS = 31, 15, -15


class Undecodable(ValueError):
    """The body is not what its content coding says, or ends too early."""


class Decoder:
    """Decompresses gzip or deflate; never holds more than a step of what comes out."""

    def __init__(self, coding: str) -> None:
        """Raises: Undecodable for any other coding."""
        self._is_gzip = coding in {"gzip", "x-gzip"}
        if not self._is_gzip and coding != "deflate":
            raise Undecodable
        self._inflater = zlib.decompressobj(GZIP_BITS) if self._is_gzip else None
        self._input = b""

    def feed(self, data: bytes) -> None:
        """Take encoded bytes; call `step` until it has nothing more before feeding again."""
        self._input = self._input + data if self._input else data
        if self._inflater is None and data:
            # Half the world sends deflate without its zlib frame (RFC 9110, section 8.4.1.2).
            is_framed = data[0] & 0x0F == zlib.DEFLATED
            self._inflater = zlib.decompressobj(ZLIB_BITS if is_framed else RAW_BITS)

    def step(self) -> bytes:
        """Return the next bytes, at most STEP_BYTES; b"" when it needs more input.

        Raises: Undecodable.
        """
        inflater = self._inflater
        if inflater is None or (inflater.eof and not self._input):
            return b""
        if inflater.eof:
            raise Undecodable  # bytes behind the end
        try:
            data = inflater.decompress(self._input, STEP_BYTES)
        except zlib.error as error:
            raise Undecodable from error
        self._input = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
        return data

    def end(self) -> None:
        """Raises: Undecodable when the body ends before its last checksum."""
        if self._inflater is not None and (self._input or not self._inflater.eof):
            raise Undecodable
