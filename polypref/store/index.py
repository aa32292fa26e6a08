"""Where each answer lies: a hash table in flat arrays, some 50 bytes a key, so that millions of answers fit beside a model."""

from array import array

FREE = 0
MASK = (1 << 64) - 1


class Index:
    """key -> (place, length). A key's 64-bit hash stands for it: at 10 million keys the chance of any collision is 3 in a million."""

    def __init__(self) -> None:
        self._size = 0
        self._allocate(1 << 10)

    def __len__(self) -> int:
        return self._size

    def __contains__(self, key: str) -> bool:
        return self._hashes[self._slot(_hash(key))] != FREE

    def get(self, key: str) -> tuple[int, int] | None:
        slot = self._slot(_hash(key))
        return (self._places[slot], self._lengths[slot]) if self._hashes[slot] != FREE else None

    def add(self, key: str, place: int, length: int) -> bool:
        """Whether the key is new; the place of a known one stays."""
        slot = self._slot(hashed := _hash(key))
        if self._hashes[slot] != FREE:
            return False
        self._put(slot, hashed, place, length)
        self._size += 1
        if self._size * 5 > len(self._hashes) * 3:
            self._grow()
        return True

    def _allocate(self, slots: int) -> None:
        self._hashes = array("Q", bytes(8 * slots))
        self._places = array("Q", bytes(8 * slots))
        self._lengths = array("L", bytes(array("L").itemsize * slots))

    def _grow(self) -> None:
        old = zip(self._hashes, self._places, self._lengths, strict=True)
        self._allocate(2 * len(self._hashes))
        for hashed, place, length in old:
            if hashed != FREE:
                self._put(self._slot(hashed), hashed, place, length)

    def _put(self, slot: int, hashed: int, place: int, length: int) -> None:
        self._hashes[slot], self._places[slot], self._lengths[slot] = hashed, place, length

    def _slot(self, hashed: int) -> int:
        """The slot of a hash, or the free one where it belongs."""
        hashes, last = self._hashes, len(self._hashes) - 1
        slot = hashed & last
        while hashes[slot] != FREE and hashes[slot] != hashed:
            slot = (slot + 1) & last
        return slot


def _hash(key: str) -> int:
    return hash(key) & MASK or 1
