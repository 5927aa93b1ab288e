"""Archives that mean harm: each function gives the bytes of one."""

import gzip
import io
import stat
import struct
import tarfile
import zipfile

from tests import builders

PHOTO, MASK = builders.jpeg(), builders.png([[0, 1] * 4] * 12)
GOOD = [("images/a.jpg", PHOTO), ("masks/a.png", MASK)]


def zipped(*members, method=zipfile.ZIP_STORED):
    return builders.zip_bytes([*GOOD, *members], method)


def zip_of_kind(kind):
    """A zip whose last member is a link, a device or a pipe."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in GOOD:
            archive.writestr(name, data)
        info = zipfile.ZipInfo("images/b.jpg")
        info.create_system, info.external_attr = 3, (kind | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    return buffer.getvalue()


def declared(size, count=1):
    """A zip whose directory says of small members that they unpack to `size` bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in [*GOOD, *[(f"images/bomb{number}.jpg", bytes(10)) for number in range(count)]]:
            archive.writestr(name, data)
        for info in archive.infolist():
            if "bomb" in info.filename:
                info.file_size = size
    return buffer.getvalue()


def nested(depth):
    """Zips in zips; the photos lie in the innermost."""
    data = zipped()
    for level in range(depth):
        data = builders.zip_bytes([(f"level{level}.zip", data)])
    return data


def encrypted():
    """A zip that says its members are encrypted."""
    data = bytearray(zipped())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(signature)
        while place >= 0:
            data[place + flags] |= 1
            place = data.find(signature, place + 4)
    return bytes(data)


def strange_method():
    """A zip of a compression that nobody knows."""
    data = bytearray(zipped())
    for signature, method in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        place = data.find(signature)
        while place >= 0:
            data[place + method : place + method + 2] = struct.pack("<H", 99)
            place = data.find(signature, place + 4)
    return bytes(data)


def damaged_local_headers():
    """A zip whose members' own headers are overwritten."""
    return zipped().replace(b"PK\x03\x04", b"XXXX")


def tar_of_kind(kind, name="images/b.jpg", link="/etc/passwd"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member, data in GOOD:
            info = tarfile.TarInfo(member)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, link
        archive.addfile(info)
    return buffer.getvalue()


def tar_that_lies():
    """A tar whose last member says it has eight gigabytes."""
    data = bytearray(builders.tar_bytes([*GOOD, ("images/b.jpg", b"12345")]))
    place = data.rfind(b"images/b.jpg")
    header = data[place : place + 512]
    header[124:136] = b"77777777777\0"
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    data[place : place + 512] = header
    return bytes(data)


def tar_bomb(megabytes=120):
    """A compressed tar that unpacks to a thousand times its size."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=9) as archive:
        info = tarfile.TarInfo("images/b.jpg")
        info.size = megabytes << 20
        archive.addfile(info, _Zeros(info.size))
    return buffer.getvalue()


def endless_tar(megabytes=1100):
    """A compressed tar followed by more than a gigabyte of zeros; a minute's work were it read to its end slowly."""
    block = gzip.compress(bytes(16 << 20), 1)
    return gzip.compress(builders.tar_bytes(GOOD)) + block * (megabytes // 16)


class _Zeros(io.RawIOBase):
    def __init__(self, size):
        self.left = size

    def readable(self):
        return True

    def readinto(self, buffer):
        count = min(len(buffer), self.left)
        buffer[:count] = bytes(count)
        self.left -= count
        return count


LINK, DEVICE, PIPE = stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO
